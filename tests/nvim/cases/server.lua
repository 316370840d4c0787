-- How the server is found, the settings that it gets, and what is said when it is not there.
local T = ...
local test = T.test

local path = vim.env.PATH
-- There is no package on PyPI.
local install = ("pipx install '%s'"):format(vim.fs.dirname(vim.fs.dirname(T.editor)))

--- Ends the server and forgets where it was.
local function stop()
  vim.lsp.enable('evonic', false)
  T.wait('no server', function()
    return #vim.lsp.get_clients({ name = 'evonic', _uninitialized = true }) == 0
  end)
  require('evonic.server').forget()
end

--- A PATH on which there is no server.
local function hide()
  stop()
  vim.env.PATH = '/usr/bin:/bin'
  vim.env.VIRTUAL_ENV = nil
end

local function found(folder, ask)
  local server, why_not = require('evonic.server').find(folder, ask)
  return server and server.argv or why_not
end

test('settings of setup(), vim.g.evonic and vim.lsp.config reach the server', function()
  stop()
  require('evonic').setup({ debounce = 'soon' })
  vim.lsp.config('evonic', { settings = { evonic = { optIn = 'sometimes' } } })
  T.told(function()
    vim.lsp.enable('evonic')
  end, 'evonic.debounce must be')
  T.wait('the other one', function()
    return T.notified[#T.notified]:find('evonic.optIn must be', 1, true)
  end)
  T.equal(vim.g.evonic.debounce, 'soon')
  stop()
  vim.g.evonic = nil
  vim.lsp.config.evonic = {}
  vim.lsp.enable('evonic')
  T.open('demo')
end)

test('a missing server is told once, with what to type', function()
  hide()
  local before = #T.notified
  T.told(function()
    vim.lsp.enable('evonic')
  end, install)
  vim.cmd.edit(T.file('other'))
  vim.cmd.edit(T.file('shy'))
  vim.cmd.edit(T.file('demo'))
  local scheduled = false
  vim.schedule(function()
    scheduled = true
  end)
  T.wait('everything scheduled', function()
    return scheduled
  end)
  T.equal(#T.notified, before + 1)
  T.equal(#vim.lsp.get_clients({ _uninitialized = true }), 0)
end)

test(':checkhealth evonic without a server says what to type', function()
  local text = T.health()
  T.contains(text, 'ERROR evonic-lsp was not found')
  T.contains(text, install)
  T.contains(text, ':Evonic restart')
end)

test('a configured command that is wrong is told of, not replaced', function()
  vim.env.PATH = path
  vim.g.evonic = { cmd = '/nowhere/evonic-lsp' }
  T.told(function()
    vim.cmd('Evonic restart')
  end, 'vim.g.evonic.cmd: /nowhere/evonic-lsp cannot be run')
  T.contains(T.health(), '/nowhere/evonic-lsp cannot be run')
end)

test('a configured command that is none is told of', function()
  for _, command in ipairs({ 5, {}, { 5 } }) do
    vim.g.evonic = { cmd = command }
    require('evonic.server').forget()
    T.contains(found(T.root, true), 'vim.g.evonic.cmd: must be a command')
  end
end)

test('a configured command is used, with or without serve', function()
  local server = T.server .. '/evonic-lsp'
  vim.env.PATH = '/usr/bin:/bin'
  for _, command in ipairs({
    server,
    { server },
    { server, 'serve' },
    { server, 'serve', '--stdio' },
  }) do
    vim.g.evonic = { cmd = command }
    require('evonic.server').forget()
    T.equal(found(T.root, true), { server })
  end
  vim.cmd('Evonic restart')
  T.open('demo')
  stop()
  vim.g.evonic = nil
end)

test('the active virtual environment, then the module of Python', function()
  hide()
  vim.env.VIRTUAL_ENV = vim.fs.dirname(T.server)
  T.equal(found(T.root, true), { T.server .. '/evonic-lsp' })
  vim.env.VIRTUAL_ENV = nil
  vim.g.python3_host_prog = T.server .. '/python'
  require('evonic.server').forget()
  T.equal(found(T.root, true), { T.server .. '/python', '-m', 'evonic_lsp' })
  vim.cmd('Evonic restart')
  T.open('demo')
  vim.g.python3_host_prog = nil
end)

test('a virtual environment of the project is used only if it is trusted', function()
  hide()
  local project = vim.uv.fs_realpath(vim.fn.fnamemodify(vim.fn.tempname(), ':h')) .. '/project'
  local script = project .. '/.venv/bin/evonic-lsp'
  vim.fn.mkdir(vim.fs.dirname(script), 'p')
  vim.fn.writefile(vim.fn.readfile(T.server .. '/evonic-lsp'), script)
  vim.fn.setfperm(script, 'rwxr-xr-x')
  T.equal(found(project, false), 'evonic-lsp was not found')
  vim.secure.trust({ action = 'deny', path = script })
  T.equal(found(project, true), 'evonic-lsp was not found')
  vim.cmd.edit(script)
  vim.secure.trust({ action = 'allow', bufnr = 0 })
  require('evonic.server').forget()
  T.equal(found(project, true), { script })
end)

test('all is as before once the server is there again', function()
  vim.env.PATH = path
  vim.cmd('Evonic restart')
  T.open('demo')
  T.told(function()
    vim.cmd('Evonic reload')
  end, 'demo: ')
end)
