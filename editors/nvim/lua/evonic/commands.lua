--- `:Evonic …`
local M = {}

local paths = require('evonic.paths')

local ALL = '*'
local LEVEL = vim.log.levels
local FAILED = { rejected = true, ['rolled back'] = true, stuck = true }
--- How long the completion waits for the server, in milliseconds.
local PATIENCE = 500

local function say(text, level)
  vim.notify('evonic: ' .. text, level or LEVEL.INFO)
end

--- The running server.
--- @return vim.lsp.Client?
function M.client()
  return vim.iter(vim.lsp.get_clients({ name = 'evonic' })):find(function(client)
    return not client:is_stopped() -- one that was given up may be there for a while
  end)
end

--- Asks the server for `evonic.<name>`; `done` gets the result, or nil and why not.
--- @param name string
--- @param argument? string a plugin, a file URI or "*"
--- @param done fun(result?: table, why_not?: string)
function M.ask(name, argument, done)
  local client = M.client()
  if not client then
    done(nil, 'no server is running: open a file of a plugin, or :Evonic restart')
    return
  end
  local params = { command = 'evonic.' .. name, arguments = argument and { argument } or nil }
  client:request('workspace/executeCommand', params, function(err, result)
    done(result, err and err.message)
  end)
end

--- What a command without an argument means: the file in the current window, or else what the server thinks.
local function here()
  local file = paths.plugin(0) and paths.file(0)
  return file and vim.uri_from_fname(file) or nil
end

--- @param argument? string
function M.reload(argument)
  M.ask('reload', argument or here(), function(outcome, why_not)
    if not outcome then
      return say(why_not, LEVEL.ERROR)
    end
    local level = FAILED[outcome.status] and LEVEL.ERROR or LEVEL.INFO
    say(('%s: %s'):format(outcome.plugin, outcome.message), level)
  end)
end

--- @param on boolean
--- @param argument? string
function M.switch(on, argument)
  local plugin = argument ~= ALL and (argument or paths.plugin(0)) or nil
  M.ask(on and 'enable' or 'disable', argument or here(), function(status, why_not)
    if not status then
      return say(why_not, LEVEL.ERROR)
    end
    if on and argument == ALL then
      local chosen = vim.tbl_filter(function(info)
        return info.hotreload
      end, status.plugins)
      return say(('hot reload is on; plugins chosen: %d'):format(#chosen))
    end
    local whose = argument == ALL and 'all plugins' or plugin or 'the plugin'
    local text = ('hot reload is %s for %s'):format(on and 'on' or 'off', whose)
    if on and not status.enabled then
      text = text .. ', but off for Evonic as a whole: :Evonic enable *'
    end
    for _, info in ipairs(status.plugins) do
      if on and info.id == plugin and not info.enabled then
        text = text .. (', but %s is switched off in Evonic'):format(plugin)
      end
    end
    say(text)
  end)
end

--- The Evonic that is meant without saying so: the configured one, that of the current file, that of the folder.
--- @return string?
function M.evonic()
  local configured = (vim.g.evonic or {}).root
  if configured then
    return vim.fs.normalize(configured)
  end
  local client = M.client()
  local near = paths.file(0) and paths.evonic_root(paths.file(0))
  return near
    or paths.evonic_root(vim.fn.getcwd())
    or (client and client.root_dir and paths.evonic_root(client.root_dir))
end

--- Puts the bridge into an Evonic.
--- @param root? string
function M.install(root)
  root = root and vim.fs.abspath(vim.fs.normalize(root)) or M.evonic()
  if not root then
    return say('which Evonic? :Evonic install ROOT, its folder', LEVEL.ERROR)
  end
  local server = require('evonic.server')
  server.run(root, { 'install', root }, {}, function(run)
    local text = vim.trim(run.stdout .. run.stderr)
    vim.notify(text, run.code == 0 and LEVEL.INFO or LEVEL.ERROR)
  end)
end

--- Ends the server and starts it again, which also looks for it again.
function M.restart()
  local clients = vim.lsp.get_clients({ name = 'evonic', _uninitialized = true })
  require('evonic.server').forget()
  vim.lsp.enable('evonic', false)
  require('evonic.restart').when_ended(clients, function()
    vim.lsp.enable('evonic', true)
  end)
end

--- @param argument? string
local function log(argument)
  if argument then
    require('evonic.log').plugin(argument, M.evonic())
  else
    require('evonic.log').server()
  end
end

--- @class evonic.Subcommand
--- @field run fun(argument?: string)
--- @field takes? 'plugin'|'plugin or *'|'folder'

--- @type table<string, evonic.Subcommand>
local subcommands = {
  reload = { run = M.reload, takes = 'plugin' },
  enable = {
    takes = 'plugin or *',
    run = function(argument)
      M.switch(true, argument)
    end,
  },
  disable = {
    takes = 'plugin or *',
    run = function(argument)
      M.switch(false, argument)
    end,
  },
  status = {
    run = function()
      require('evonic.view').open()
    end,
  },
  log = { run = log, takes = 'plugin' },
  restart = { run = M.restart },
  install = { run = M.install, takes = 'folder' },
}

--- What not every server can: there if it announces it.
--- @return table<string, evonic.Subcommand>
local function announced()
  local client = M.client()
  local provider = client and client.server_capabilities.executeCommandProvider
  local found = {}
  for _, name in ipairs({ 'clear', 'connect', 'replay', 'switchOn' }) do
    if vim.list_contains(provider and provider.commands or {}, 'evonic.' .. name) then
      found[name] = {
        takes = name == 'clear' and 'plugin or *' or 'plugin',
        run = function(argument)
          M.ask(name, argument or here(), function(answer, why_not)
            local failed = type(answer) == 'table' and answer.status == 'failed'
            if why_not or failed then
              say(why_not or answer.message, LEVEL.ERROR)
            end
          end)
        end,
      }
    end
  end
  return found
end

--- @return table<string, evonic.Subcommand>
local function all()
  return vim.tbl_extend('keep', subcommands, announced())
end

--- @param words string[] what follows `:Evonic`
function M.run(words)
  local name, argument = words[1] or 'status', words[2]
  local subcommand = all()[name]
  if not subcommand then
    local names = vim.tbl_keys(all())
    table.sort(names)
    local text = 'there is no :Evonic %s; there are %s'
    return say(text:format(name, table.concat(names, ', ')), LEVEL.ERROR)
  end
  if #words > (subcommand.takes and 2 or 1) then
    return say((':Evonic %s takes %s'):format(name, subcommand.takes or 'nothing'), LEVEL.ERROR)
  end
  subcommand.run(argument)
end

--- The plugins of the host, as it says just now.
--- @return string[]
local function plugin_ids()
  local client = M.client()
  local params = { command = 'evonic.status' }
  local answer = client and client:request_sync('workspace/executeCommand', params, PATIENCE)
  return vim.tbl_map(function(info)
    return info.id
  end, answer and answer.result and answer.result.plugins or {})
end

--- @return string[]
function M.complete(lead, line, position)
  local words = vim.split(vim.trim(line:sub(1, position - #lead)), '%s+')
  local found = {}
  if #words == 1 then
    found = vim.tbl_keys(all())
  elseif #words == 2 then
    local takes = (all()[words[2]] or {}).takes
    if takes == 'folder' then
      return vim.fn.getcompletion(lead, 'dir')
    end
    found = takes and plugin_ids() or {}
    if takes == 'plugin or *' then
      table.insert(found, ALL)
    end
  end
  table.sort(found)
  return vim.tbl_filter(function(each)
    return vim.startswith(each, lead)
  end, found)
end

return M
