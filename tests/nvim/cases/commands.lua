-- `:Evonic …` and its completion, the logs, :help.
local T = ...
local test = T.test

local function command(words)
  return function()
    vim.cmd('Evonic ' .. words)
  end
end

local function children()
  return vim.api.nvim_get_proc_children(vim.fn.getpid())
end

local function alive(process)
  local ok, lines = pcall(vim.fn.readfile, ('/proc/%d/cmdline'):format(process))
  -- Nobody may have waited for it: then it is there, without a command line.
  return vim.uv.kill(process, 0) == 0 and not (ok and #lines == 0)
end

--- What the host says of a plugin.
local function info(plugin)
  local host = T.ask('status')
  for _, each in ipairs(host.plugins) do
    if each.id == plugin then
      return each, host
    end
  end
end

test(':Evonic reload reloads the plugin of the file', function()
  local before = info('demo').generation
  T.told(command('reload'), 'demo: ')
  assert(info('demo').generation > before)
end)

test(':Evonic reload ID reloads another one, and says what went wrong', function()
  T.told(command('reload other'), 'other: ')
  T.told(command('reload nobody'), 'nobody')
end)

test(':Evonic disable and enable switch the plugin of the file', function()
  T.told(command('disable'), 'hot reload is off for demo')
  T.equal(info('demo').hotreload, false)
  T.told(command('enable'), 'hot reload is on for demo')
  T.equal(info('demo').hotreload, true)
end)

test(':Evonic disable ID and enable ID switch another one', function()
  T.told(command('enable other'), 'hot reload is on for other')
  T.equal(info('other').hotreload, true)
  T.told(command('disable other'), 'hot reload is off for other')
  T.equal(info('other').hotreload, false)
end)

test(':Evonic disable * and enable * switch Evonic as a whole', function()
  T.told(command('disable *'), 'hot reload is off for all plugins')
  local _, host = info('demo')
  T.equal(host.enabled, false)
  T.told(command('enable other'), ':Evonic enable *')
  T.told(command('disable other'), 'hot reload is off for other')
  local chosen = #vim.tbl_filter(function(each)
    return each.hotreload
  end, host.plugins)
  assert(chosen < #host.plugins)
  T.told(command('enable *'), 'hot reload is on; plugins chosen: ' .. chosen)
end)

test(':Evonic install puts the bridge in again', function()
  T.told(command('install'), 'unchanged: evonic-lsp')
  T.told(command('install ' .. vim.fn.fnameescape(T.root)), 'unchanged: evonic-lsp')
  T.told(command('install /nowhere'), '/nowhere')
end)

test(':Evonic log shows what was said, and what is said from now on', function()
  vim.cmd('Evonic log')
  T.equal(vim.api.nvim_buf_get_name(0), 'evonic://log')
  T.contains(T.text(), 'Connected to Evonic')
  T.contains(T.text(), 'NameError')
  local bufnr, before = vim.api.nvim_get_current_buf(), vim.api.nvim_buf_line_count(0)
  T.told(command('reload demo'), 'demo: ')
  T.wait('more lines', function()
    return vim.api.nvim_buf_line_count(bufnr) > before
  end)
  T.press('q')
  T.equal(vim.api.nvim_buf_is_valid(bufnr), false)
end)

test(':Evonic log ID follows the log of a plugin in Evonic', function()
  vim.cmd('Evonic log demo')
  local bufnr = vim.api.nvim_get_current_buf()
  local before = T.wait('its lines', function()
    return T.text(bufnr):find('Hot reload') and vim.api.nvim_buf_line_count(bufnr)
  end)
  T.told(command('reload demo'), 'demo: ')
  T.wait('more lines', function()
    return vim.api.nvim_buf_line_count(bufnr) > before
  end)
  T.press('q')
  T.wait('its process to end', function()
    return #children() == 1
  end)
end)

test(':Evonic log ID follows again when its process has ended', function()
  local before = children()
  local function follower()
    return vim.iter(children()):find(function(process)
      return not vim.list_contains(before, process)
    end)
  end
  vim.cmd('Evonic log demo')
  local first = T.wait('its process', follower)
  vim.uv.kill(first, 'sigkill')
  T.wait('its end', function()
    return not follower()
  end)
  local second = T.wait('another process', function()
    vim.cmd('Evonic log demo')
    return follower()
  end)
  assert(second ~= first)
  T.press('q')
  T.wait('its end', function()
    return not follower()
  end)
end)

test('the process of a log ends with Neovim', function()
  local script, server = vim.fn.tempname() .. '.lua', vim.fn.tempname()
  vim.fn.writefile({ '#!/bin/sh', 'echo; echo', 'exec sleep 60' }, server)
  vim.fn.setfperm(server, 'rwxr-xr-x')
  vim.fn.writefile({
    ('vim.opt.rtp:prepend(%q)'):format(T.editor),
    ('vim.g.evonic = { cmd = %q }'):format(server),
    "vim.cmd.runtime('plugin/evonic.lua')",
    "vim.cmd('Evonic log demo')",
    'vim.wait(15000, function() return vim.api.nvim_buf_line_count(0) > 1 end, 5)',
    'io.stdout:write(vim.api.nvim_get_proc_children(vim.fn.getpid())[1])',
    "vim.cmd('qall!')",
  }, script)
  local argv = { vim.v.progpath, '--clean', '--headless', '-u', script }
  local run = vim.system(argv, { text = true }):wait(20000)
  local process = assert(tonumber(run.stdout:match('%d+')), vim.inspect(run))
  T.wait('its end', function()
    return not alive(process)
  end, 5000)
end)

test('a log keeps the newest lines', function()
  local log = require('evonic.log')
  local bufnr = vim.api.nvim_create_buf(false, true)
  vim.cmd.sbuffer(bufnr)
  for number = 1, log.MOST_LINES + 10, 5 do
    local lines = {}
    for each = number, number + 4 do
      table.insert(lines, 'line ' .. each)
    end
    log.append(bufnr, lines)
  end
  T.equal(vim.api.nvim_buf_line_count(bufnr), log.MOST_LINES)
  T.equal(vim.api.nvim_buf_get_lines(bufnr, 0, 1, false), { 'line 11' })
  T.equal(vim.api.nvim_get_current_line(), 'line ' .. log.MOST_LINES + 10)
  vim.cmd.bwipeout()
end)

test('what cannot be is told', function()
  T.told(command('fly'), 'there is no :Evonic fly')
  T.told(command('reload demo other'), ':Evonic reload takes plugin')
  T.told(command('status demo'), ':Evonic status takes nothing')
end)

test('subcommands and plugins are completed', function()
  local function complete(text)
    return vim.fn.getcompletion('Evonic ' .. text, 'cmdline')
  end
  T.equal(complete('re'), { 'reload', 'replay', 'restart' })
  local names = 'clear connect disable enable install log reload replay restart status switchOn'
  T.equal(table.concat(complete(''), ' '), names)
  T.contains(table.concat(complete('reload '), ' '), 'demo')
  T.equal(complete('reload de'), { 'demo' })
  T.equal(complete('enable *'), { '*' })
  T.equal(complete('clear *'), { '*' })
  T.equal(complete('status '), {})
  T.equal(complete('reload demo '), {})
  T.equal(complete('install ' .. T.root .. '/plug'), { T.root .. '/plugins/' })
end)

test('what an older server does not announce is not offered', function()
  local provider = T.client().server_capabilities.executeCommandProvider
  local before = provider.commands
  provider.commands = vim.tbl_filter(function(name)
    return name ~= 'evonic.replay'
  end, before)
  T.equal(vim.fn.getcompletion('Evonic repl', 'cmdline'), {})
  provider.commands = before
  T.equal(vim.fn.getcompletion('Evonic repl', 'cmdline'), { 'replay' })
end)

test('the documentation has every command, event, highlight group and function', function()
  local function read(name)
    return table.concat(vim.fn.readfile(vim.fs.joinpath(T.editor, name)), '\n')
  end
  local doc, readme = read('doc/evonic.txt'), read('README.md')
  for _, name in ipairs(vim.fn.getcompletion('Evonic ', 'cmdline')) do
    T.contains(doc, ('*:Evonic-%s*'):format(name))
    T.contains(readme, '`:Evonic ' .. name)
  end
  vim.cmd('Evonic status')
  T.press('q')
  for name in pairs(vim.api.nvim_get_hl(0, {})) do
    if vim.startswith(name, 'Evonic') then
      T.contains(doc, ('`%s`'):format(name))
    end
  end
  for name, value in pairs(require('evonic')) do
    T.contains(
      doc,
      type(value) == 'function' and ('*evonic.%s()*'):format(name) or '*evonic.' .. name
    )
  end
  T.contains(doc, '*EvonicStatus*')
  T.contains(doc, '`evonic-status`')
  T.contains(doc, '`evonic-log`')
end)

test('a replay that failed is told', function()
  T.answering({ status = 'failed', message = 'on_message_received failed: KeyError' }, function()
    T.told(command('replay demo'), 'on_message_received failed: KeyError')
  end)
end)

test(':help evonic', function()
  local copy = vim.fn.tempname()
  vim.fn.mkdir(copy .. '/doc', 'p')
  vim.fn.writefile(vim.fn.readfile(T.editor .. '/doc/evonic.txt'), copy .. '/doc/evonic.txt')
  vim.cmd.helptags(copy .. '/doc')
  vim.opt.rtp:append(copy)
  vim.cmd.help('evonic')
  T.equal(vim.fn.expand('%:t'), 'evonic.txt')
  for _, tag in ipairs({ ':Evonic', 'g:evonic', 'evonic.statusline()', 'EvonicStatus' }) do
    vim.cmd.help(tag)
    T.equal(vim.fn.expand('%:t'), 'evonic.txt')
  end
  vim.cmd.helpclose()
  vim.opt.rtp:remove(copy)
end)
