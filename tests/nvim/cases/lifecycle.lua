-- The server restarts and crashes, the host goes and comes back; :checkhealth in each state.
local T = ...
local test = T.test

local BAD = { 'GREETING = "hello"', 'boom()' }
local GOOD = { 'GREETING = "hello"' }

local function one_error()
  T.wait('one diagnostic', function()
    return #vim.diagnostic.get(nil, { severity = vim.diagnostic.severity.ERROR }) == 1
  end)
end

local function no_error()
  T.wait('no diagnostic', function()
    return #vim.diagnostic.get(nil, { severity = vim.diagnostic.severity.ERROR }) == 0
  end)
end

--- A client that is not `old`, attached to the current file.
local function another(old)
  T.wait('another server', function()
    local client = vim.lsp.get_clients({ bufnr = 0, name = 'evonic' })[1]
    return client and client.id ~= old and client.initialized
  end)
end

local function server_process()
  return vim.api.nvim_get_proc_children(vim.fn.getpid())[1]
end

test(':checkhealth evonic while all is well', function()
  T.open('demo')
  local text = T.health()
  T.contains(text, 'OK Neovim ' .. tostring(vim.version()):match('^[%d.]+'))
  T.contains(text, 'OK evonic-lsp, version')
  T.contains(text, 'started for ' .. T.root)
  T.contains(text, 'OK Evonic at ' .. T.root)
  T.contains(text, 'OK the bridge is enabled in Evonic')
  T.contains(text, 'OK runtime directory')
  T.contains(text, 'answers (pid')
  T.contains(text, 'OK this plugin, version ' .. require('evonic').version)
  assert(not text:find('ERROR', 1, true), text)
  assert(not text:find('WARNING', 1, true), text)
end)

test(':checkhealth evonic tells when another server is installed than runs', function()
  local info = T.client().server_info
  local version = info.version
  info.version = '0.0.9'
  local text = T.health()
  info.version = version
  T.contains(text, 'WARNING the one that is installed is another: evonic-lsp, version ' .. version)
end)

test(':Evonic restart leaves no ghosts and brings what holds', function()
  T.after(function()
    T.save(BAD)
  end, 'failed', 'demo')
  one_error()
  local old = T.client().id
  T.after(function()
    vim.cmd('Evonic restart')
  end, 'stopped', nil)
  another(old)
  one_error()
  T.wait('the state', function()
    return require('evonic').statusline() == 'evonic: demo failed'
  end)
  T.equal(#vim.lsp.get_clients(), 1)
end)

test('a server that crashes takes its diagnostics along, and says how to start it', function()
  one_error()
  local status = T.after(function()
    vim.uv.kill(server_process(), 'sigkill')
  end, 'stopped', nil)
  T.contains(status.message, ':Evonic restart')
  no_error()
  T.wait('the client to go', function()
    return not T.client()
  end)
  T.equal(require('evonic').statusline(), 'evonic: stopped')
  T.told(function()
    vim.cmd('Evonic reload')
  end, 'no server is running')
  vim.cmd('Evonic status')
  T.contains(T.text(), 'no server is running')
  T.press('q')
  vim.cmd('Evonic restart')
  another(nil)
  one_error()
  T.after(function()
    T.save(GOOD)
  end, 'ok', 'demo')
  no_error()
end)

test('a server that does not answer is left behind', function()
  local old, process = T.client().id, server_process()
  vim.uv.kill(process, 'sigstop')
  vim.cmd('Evonic restart')
  local asked = require('evonic.commands').client()
  local ok, why = pcall(another, old)
  vim.uv.kill(process, 'sigkill')
  assert(ok, why)
  T.equal(asked, nil)
  T.wait('its end', function()
    return #vim.lsp.get_clients({ _uninitialized = true }) == 1
  end)
  T.equal(T.client().id ~= old, true)
end)

test('the view that waited for a server that died asks the next one', function()
  vim.cmd('Evonic status')
  T.wait('the host', function()
    return T.text():find('hot reload is on', 1, true)
  end)
  local old, process = T.client().id, server_process()
  vim.uv.kill(process, 'sigstop')
  T.press('R')
  T.after(function()
    vim.uv.kill(process, 'sigkill')
  end, 'stopped', nil)
  T.wait('the reason', function()
    return T.text():find('no server is running', 1, true)
  end)
  vim.cmd('Evonic restart')
  T.wait('the host again', function()
    return T.text():find('hot reload is on', 1, true)
  end)
  T.press('q')
  another(old)
end)

test('the host goes: it is told, quietly', function()
  T.wait('the host', function()
    return require('evonic').statusline() ~= ''
  end)
  T.told(function()
    vim.cmd('Evonic reload')
  end, 'demo: ')
  local before, process = #T.notified, T.ask('status').pid
  T.after(function()
    T.host('stop')
  end, 'disconnected', nil)
  -- Its socket closes first.
  T.wait('its end', function()
    return not vim.uv.kill(process, 0)
  end)
  T.equal(require('evonic').statusline(), 'evonic: disconnected')
  T.equal(#T.notified, before)
end)

test('without a host, commands and the view say what to do', function()
  T.told(function()
    vim.cmd('Evonic reload')
  end, 'no running Evonic')
  vim.cmd('Evonic status')
  T.wait('the reason', function()
    return T.text():find('no running Evonic', 1, true)
  end)
  T.contains(T.text(), ':checkhealth evonic')
  T.press('q')
end)

test(':checkhealth evonic without a host says what to type', function()
  local text = T.health()
  T.contains(text, 'ERROR no running Evonic with the bridge')
  T.contains(text, './evonic start')
end)

test('the host comes back: what was saved meanwhile is reloaded', function()
  T.after(function()
    T.save(BAD)
  end, 'disconnected', 'demo')
  T.after(function()
    T.host('start')
  end, 'failed', 'demo')
  one_error()
  T.equal(require('evonic').statusline(), 'evonic: demo failed')
  T.after(function()
    T.save(GOOD)
  end, 'ok', 'demo')
  no_error()
end)
