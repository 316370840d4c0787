--- `:checkhealth evonic`
local M = {}

local health = vim.health
local PATIENCE = 30000

local function check_neovim()
  health.start('evonic: Neovim')
  local now = vim.version()
  local version = ('%d.%d.%d'):format(now.major, now.minor, now.patch)
  if vim.fn.has('nvim-0.11.3') == 1 then
    health.ok('Neovim ' .. version)
  else
    health.error('Neovim ' .. version, 'Install Neovim 0.11.3 or newer')
    return
  end
  health.ok('this plugin, version ' .. require('evonic').version)
  -- Not in every 0.11.
  if not vim.lsp.is_enabled or vim.lsp.is_enabled('evonic') then
    health.ok('evonic is enabled')
  else
    local advice = "`:lua vim.lsp.enable('evonic')`; is vim.g.evonic.enabled false?"
    health.warn('evonic is not enabled', advice)
  end
end

--- The folder to look for a server and an Evonic from: not that of the health report itself.
local function folder()
  local client = require('evonic.commands').client()
  return client and client.root_dir or vim.fn.getcwd()
end

--- @return evonic.Server?, string? line its name and version
local function check_server()
  health.start('evonic: server')
  local server, why_not = require('evonic.server').find(folder(), false)
  if not server then
    local install = require('evonic.server').INSTALL
    health.error(why_not, {
      ('`%s`, then `:Evonic restart`; other ways: `:help evonic-start`'):format(install),
      'or say where it is: `vim.g.evonic = { cmd = "/path/to/evonic-lsp" }`',
    })
    return nil
  end
  local command = table.concat(server.argv, ' ')
  local argv = vim.list_extend(vim.list_slice(server.argv), { '--version' })
  local ok, run = pcall(function()
    return vim.system(argv, { text = true, cwd = require('evonic.server').home }):wait(PATIENCE)
  end)
  if not ok or run.code ~= 0 then
    local output = ok and vim.trim(run.stdout .. run.stderr) or run
    local fix = '`' .. command .. ' --version` must work in a terminal'
    health.error(('%s (from %s) does not run: %s'):format(command, server.how, output), fix)
    return nil
  end
  local line = run.stdout:match('[^\r\n]*')
  health.ok(('%s: %s, from %s'):format(line, command, server.how))
  return server, line
end

--- @param line string name and version of what is found now
local function check_client(line)
  local client = require('evonic.commands').client()
  if not client then
    health.info('no server runs now; it starts with the first file of a plugin that is opened')
    return
  end
  local version = client.server_info and client.server_info.version or '?'
  local buffers = vim.tbl_count(client.attached_buffers)
  health.ok(
    ('server %s runs, for %d file(s), started for %s'):format(version, buffers, client.root_dir)
  )
  if line:match('version (%S+)') ~= version then
    health.warn('the one that is installed is another: ' .. line, '`:Evonic restart`')
  end
end

--- Tells what a line of `evonic-lsp doctor` says, with the advice that follows it.
local function report(mark, text, advice)
  if mark == 'ok' then
    health.ok(text)
  elseif mark == 'warn' then
    health.warn(text, advice)
  else
    health.error(text, advice)
  end
end

--- @param output string
--- @return integer count of what was found there
function M.report_doctor(output)
  local mark, text, advice, count = nil, nil, nil, 0
  local function flush()
    if mark then
      report(mark, text, advice)
      count = count + 1
    end
    mark, advice = nil, nil
  end
  for line in vim.gsplit(output, '\n', { plain = true }) do
    local fix = line:match('^     %-> (.*)')
    local word, rest = line:match('^(%a+) +(.*)')
    if fix then
      advice = fix
    elseif word == 'ok' or word == 'warn' or word == 'FAIL' then
      flush()
      mark, text = word, rest
    elseif mark and line ~= '' then
      text = text .. '\n' .. vim.trim(line)
    end
  end
  flush()
  return count
end

local function check_host(server)
  health.start('evonic: host, bridge and socket rights (evonic-lsp doctor)')
  local argv = vim.list_extend(vim.list_slice(server.argv), { 'doctor' })
  local root = require('evonic.commands').evonic() or require('evonic.paths').evonic_root(folder())
  if root then
    vim.list_extend(argv, { '--evonic', root })
  end
  local run = vim.system(argv, { text = true, cwd = require('evonic.server').home }):wait(PATIENCE)
  if M.report_doctor(run.stdout or '') == 0 then
    local text = vim.trim((run.stdout or '') .. (run.stderr or ''))
    health.error(text ~= '' and text or 'evonic-lsp doctor said nothing', '`evonic-lsp doctor`')
  end
end

function M.check()
  check_neovim()
  local server, line = check_server()
  if server and line then
    check_client(line)
    check_host(server)
  end
end

return M
