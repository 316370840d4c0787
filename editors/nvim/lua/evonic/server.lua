--- Finds evonic-lsp and starts it; says once, with what to type, when it is not there.
local M = {}

--- @class evonic.Server
--- @field argv string[] what to run, before the subcommand
--- @field how string where it was found, for people

-- The folder of this Neovim plugin. What is run runs here: `python3 -m` looks for its module in the current folder
-- first, and a folder that somebody merely opened must not bring a server of its own.
M.home = vim.fs.dirname(
  vim.fs.dirname(vim.fs.dirname(vim.fs.abspath(debug.getinfo(1, 'S').source:sub(2))))
)

-- There is no package on PyPI: what is installed is the clone that this plugin is a part of.
local clone = vim.fs.dirname(vim.fs.dirname(vim.uv.fs_realpath(M.home) or M.home))
local cloned = vim.uv.fs_stat(vim.fs.joinpath(clone, 'pyproject.toml'))
M.INSTALL = 'pipx install ' .. (cloned and vim.fn.shellescape(clone) or 'CLONE')

local windows = vim.fn.has('win32') == 1
local found = {} --- @type table<string, evonic.Server|false>
local refused = {} --- @type table<string, boolean>
local told = false

--- Without the subcommand that a configured command may end with.
local function bare(argv)
  local kept = vim.list_slice(argv)
  while #kept > 1 and (kept[#kept] == '--stdio' or kept[#kept] == 'serve') do
    table.remove(kept)
  end
  return kept
end

--- A command that the configuration names. It is taken or it is an error: never quietly replaced.
--- @return evonic.Server?, string? why_not, boolean? named
local function configured()
  local where, argv = 'vim.g.evonic.cmd', (vim.g.evonic or {}).cmd
  if not argv then
    local config = vim.lsp.config.evonic
    where, argv = "vim.lsp.config('evonic')", config and config.cmd
    if type(argv) ~= 'table' then
      return nil, nil, false
    end
  end
  argv = bare(type(argv) == 'table' and argv or { argv })
  if type(argv[1]) ~= 'string' then
    return nil, ('%s: must be a command, or a list with its arguments'):format(where), true
  end
  argv[1] = vim.fs.normalize(argv[1])
  local path = vim.fn.exepath(argv[1])
  if path == '' then
    return nil, ('%s: %s cannot be run'):format(where, argv[1]), true
  end
  argv[1] = path
  return { argv = argv, how = where }, nil, true
end

local function script_in(venv)
  local path = venv .. (windows and '/Scripts/evonic-lsp.exe' or '/bin/evonic-lsp')
  return vim.fn.executable(path) == 1 and path or nil
end

--- In a virtual environment above `folder`. It comes with a folder that may be anybody's, so Neovim asks whether
--- to trust it (|:trust|), unless this is not the moment to `ask`.
--- @return evonic.Server?
local function in_project(folder, ask)
  local options = { path = folder, upward = true, type = 'directory', limit = math.huge }
  for _, venv in ipairs(vim.fs.find({ '.venv', 'venv' }, options)) do
    local path = script_in(venv)
    if path and not refused[path] and ask then
      if vim.secure.read(path) then
        return { argv = { path }, how = 'the virtual environment ' .. venv }
      end
      refused[path] = true
    end
  end
end

--- @return evonic.Server?
local function as_module()
  local probe = 'import importlib.util as u, sys; sys.exit(u.find_spec("evonic_lsp") is None)'
  for _, name in ipairs({ vim.g.python3_host_prog or 'python3', 'python3', 'python' }) do
    local python = vim.fn.exepath(name)
    if python ~= '' then
      local run = vim.system({ python, '-c', probe }, { cwd = M.home }):wait(5000)
      if run.code == 0 then
        return { argv = { python, '-m', 'evonic_lsp' }, how = 'a module of ' .. python }
      end
    end
  end
end

local function look(folder, ask)
  local server, why_not, named = configured()
  if named then
    return server, why_not
  end
  local path = vim.fn.exepath('evonic-lsp')
  if path ~= '' then
    return { argv = { path }, how = 'PATH' }
  end
  local active = vim.env.VIRTUAL_ENV and script_in(vim.env.VIRTUAL_ENV)
  if active then
    return { argv = { active }, how = 'the active virtual environment' }
  end
  server = in_project(folder, ask) or as_module()
  return server, not server and 'evonic-lsp was not found' or nil
end

--- The server for the files in `folder`, or nil and why not. Without `ask`, Neovim asks no question.
--- @param folder string
--- @param ask boolean
--- @return evonic.Server?, string? why_not
function M.find(folder, ask)
  if found[folder] then
    return found[folder]
  end
  local server, why_not = look(folder, ask)
  if server then
    found[folder] = server
  end
  return server, why_not
end

--- As |find|; tells once why there is none.
--- @param folder string
--- @return evonic.Server?
function M.find_or_tell(folder)
  -- A search that failed is not repeated for each file that is opened.
  if found[folder] == false then
    return nil
  end
  local server, why_not = M.find(folder, true)
  found[folder] = server or false
  if not server and not told then
    told = true
    local fix = ('Install it: %s; then :Evonic restart.'):format(M.INSTALL)
    if not vim.startswith(why_not, 'evonic-lsp was') then
      fix = 'Correct it, then :Evonic restart.'
    end
    vim.schedule(function()
      local text = ('evonic: %s. %s More: :help evonic-start, :checkhealth evonic'):format(
        why_not,
        fix
      )
      vim.notify(text, vim.log.levels.WARN)
    end)
  end
  return server
end

--- What was found, refused and told is forgotten: it is looked for again.
function M.forget()
  found, refused, told = {}, {}, false
end

--- The `cmd` of the configuration.
function M.start(dispatchers, root)
  local server, why_not = M.find(root or vim.fn.getcwd(), true)
  if not server then
    error(why_not, 0)
  end
  local argv = vim.list_extend(vim.list_slice(server.argv), { 'serve' })
  return vim.lsp.rpc.start(argv, dispatchers, { cwd = M.home })
end

--- Runs a command of evonic-lsp beside everything else; `done` in the main loop.
--- @param folder string for which the server is looked for
--- @param arguments string[]
--- @param options vim.SystemOpts
--- @param done fun(run: vim.SystemCompleted)
--- @return vim.SystemObj?
function M.run(folder, arguments, options, done)
  local server, why_not = M.find(folder, true)
  if not server then
    vim.notify(
      'evonic: ' .. why_not .. '. :checkhealth evonic tells what to do',
      vim.log.levels.ERROR
    )
    return nil
  end
  local argv = vim.list_extend(vim.list_slice(server.argv), arguments)
  options = vim.tbl_extend('keep', options, { text = true, cwd = M.home })
  return vim.system(argv, options, vim.schedule_wrap(done))
end

return M
