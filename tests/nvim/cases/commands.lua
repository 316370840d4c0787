-- `:Evonic …` and its completion, the logs, :help.
local T = ...
local test = T.test

local function command(words)
  return function()
    vim.cmd('Evonic ' .. words)
  end
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
  T.told(command('enable *'), 'hot reload is on for all plugins')
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
    return #vim.api.nvim_get_proc_children(vim.fn.getpid()) == 1
  end)
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
