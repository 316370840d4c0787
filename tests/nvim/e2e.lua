-- The whole suite, in one Neovim: `nvim --clean --headless -l tests/nvim/e2e.lua`, started by test_nvim.py, which
-- reads what is printed here: "ok NAME", "FAIL NAME" with the reason below, and "@host start|stop", which it does.
--
-- From the environment: EVONIC_TEST_ROOT (an Evonic that runs, with the plugins `demo`, `other` and `shy`) and
-- EVONIC_TEST_SERVER (the folder of evonic-lsp).

local here = vim.fs.dirname(vim.fs.abspath(debug.getinfo(1, 'S').source:sub(2)))
local T = { root = vim.env.EVONIC_TEST_ROOT, server = vim.env.EVONIC_TEST_SERVER }
T.editor = vim.fs.joinpath(vim.fs.dirname(vim.fs.dirname(here)), 'editors', 'nvim')

-- What a person would have been told and asked.
T.notified = {} --- @type string[]
T.questions = {} --- @type {prompt: string, titles: string[]}[]
T.answers = {} --- @type string[]
T.statuses = {} --- @type evonic.Status[]
T.progress = {} --- @type string[]

local failed = 0

local function say(...)
  io.stdout:write(table.concat({ ... }), '\n')
  io.stdout:flush()
end

function T.test(name, body)
  local started = vim.uv.hrtime()
  local ok, why = xpcall(body, debug.traceback)
  local took = (' (%.0f ms)'):format((vim.uv.hrtime() - started) / 1e6)
  say(ok and '@ok ' or '@FAIL ', name, took)
  if not ok then
    failed = failed + 1
    say(why, '\ntold: ', vim.inspect(vim.list_slice(T.notified, #T.notified - 3)))
    say('last states: ', vim.inspect(vim.list_slice(T.statuses, #T.statuses - 3)))
  end
end

--- Waits until `holds()`, and returns what it returned.
function T.wait(what, holds, limit)
  local value
  local done = vim.wait(limit or 15000, function()
    value = holds()
    return value and true or false
  end, 5)
  assert(done, 'timed out: ' .. what)
  return value
end

function T.equal(got, expected)
  local message = ('got %s, expected %s'):format(vim.inspect(got), vim.inspect(expected))
  assert(vim.deep_equal(got, expected), message)
end

function T.contains(text, part)
  assert(text:find(part, 1, true), ('%q is not in:\n%s'):format(part, text))
end

--- The host is started or stopped by whoever started us.
function T.host(order)
  say('@host ', order)
end

--- Does something, and waits for a state that is told after it.
function T.after(act, state, plugin)
  local before = #T.statuses
  act()
  return T.wait(('state %s of %s'):format(state, plugin), function()
    for index = before + 1, #T.statuses do
      local status = T.statuses[index]
      if status.state == state and status.plugin == plugin then
        return status
      end
    end
  end)
end

--- Does something, and waits for a message with this text that is shown after it.
function T.told(act, part)
  local before = #T.notified
  act()
  return T.wait('a message with ' .. part, function()
    for index = before + 1, #T.notified do
      if T.notified[index]:find(part, 1, true) then
        return T.notified[index]
      end
    end
  end)
end

function T.file(plugin, name)
  return vim.fs.joinpath(T.root, 'plugins', plugin, name or 'handler.py')
end

function T.client()
  return vim.lsp.get_clients({ name = 'evonic' })[1]
end

--- What the server answers to a command.
function T.ask(command, argument)
  local params = { command = 'evonic.' .. command, arguments = { argument } }
  local answer = T.client():request_sync('workspace/executeCommand', params, 15000)
  assert(answer and answer.result, vim.inspect(answer))
  return answer.result
end

--- Does something while every command is answered with this.
function T.answering(answer, act)
  local commands = require('evonic.commands')
  local ask = commands.ask
  commands.ask = function(_, _, done)
    done(answer)
  end
  local ok, why = xpcall(act, debug.traceback)
  commands.ask = ask
  assert(ok, why)
end

--- Opens a file of a plugin and waits for the server.
function T.open(plugin, name)
  vim.cmd.edit(T.file(plugin, name))
  T.attached()
end

--- Waits for the server of the current file: Neovim attaches it a moment after the file is read.
function T.attached()
  T.wait('the server', function()
    local client = vim.lsp.get_clients({ bufnr = 0, name = 'evonic' })[1]
    return client and client.initialized
  end)
end

--- Writes these lines, as a person does.
function T.save(lines)
  vim.api.nvim_buf_set_lines(0, 0, -1, false, lines)
  vim.cmd.write({ mods = { silent = true } })
end

function T.text(bufnr)
  return table.concat(vim.api.nvim_buf_get_lines(bufnr or 0, 0, -1, false), '\n')
end

function T.press(keys)
  vim.api.nvim_feedkeys(vim.keycode(keys), 'mx', false)
end

function T.health()
  vim.cmd.checkhealth('evonic')
  local text = T.text()
  vim.cmd.bwipeout()
  return text
end

local function listen()
  vim.notify = function(text)
    table.insert(T.notified, text)
  end
  vim.ui.select = function(items, options, choose)
    local titles = vim.tbl_map(options.format_item, items)
    table.insert(T.questions, { prompt = options.prompt, titles = titles })
    local answer = table.remove(T.answers, 1)
    local index = answer and vim.fn.index(titles, answer) + 1
    choose(items[index or 0], index)
  end
  vim.api.nvim_create_autocmd('User', {
    pattern = 'EvonicStatus',
    callback = function(event)
      table.insert(T.statuses, event.data)
    end,
  })
  vim.api.nvim_create_autocmd('LspProgress', {
    callback = function(event)
      local value = event.data.params.value
      table.insert(T.progress, value.kind .. ' ' .. (value.title or ''))
    end,
  })
end

vim.o.swapfile = false
vim.opt.rtp:prepend(T.editor)
vim.cmd.runtime('plugin/evonic.lua')
vim.cmd('filetype on')
listen()
for _, name in ipairs({ 'save', 'commands', 'view', 'lifecycle', 'server' }) do
  assert(loadfile(vim.fs.joinpath(here, 'cases', name .. '.lua')))(T)
end
for _, client in ipairs(vim.lsp.get_clients()) do
  client:stop()
end
vim.wait(5000, function()
  return #vim.lsp.get_clients() == 0
end, 5)
os.exit(failed == 0 and 0 or 1)
