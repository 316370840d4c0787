-- Opening, saving, diagnostics, the question.
local T = ...
local test = T.test

local GOOD = { 'GREETING = "hello"', '', 'def on_message_received(event, sdk):', '    pass' }

local function diagnostics()
  return vim.diagnostic.get(0)
end

test('ordinary Python files are left alone', function()
  local file = vim.fn.tempname() .. '.py'
  vim.fn.writefile({ 'x = 1' }, file)
  vim.cmd.edit(file)
  local ordinary = vim.api.nvim_get_current_buf()
  T.equal(vim.bo.filetype, 'python')
  T.equal(require('evonic').statusline(), '')
  T.open('demo')
  T.equal(vim.lsp.get_clients({ bufnr = ordinary }), {})
end)

test('attaches to a file of a plugin', function()
  T.equal(T.client().root_dir, T.root)
  T.equal(T.client().server_info.name, 'evonic-lsp')
  T.wait('the host', function()
    local last = T.statuses[#T.statuses]
    return last and last.message:find('connected to Evonic', 1, true)
  end)
  T.equal(require('evonic').statusline(), 'evonic: idle')
end)

test('attaches once for all plugins and kinds of files', function()
  T.open('other')
  T.open('other', 'plugin.json')
  T.equal(#vim.lsp.get_clients(), 1)
  T.open('demo')
end)

test('the first save asks whether to reload, through vim.ui.select', function()
  T.answers = { 'Enable' }
  local status = T.after(function()
    T.save(GOOD)
  end, 'ok', 'demo')
  T.equal(#T.questions, 1)
  T.contains(T.questions[1].prompt, 'Reload the plugin demo')
  T.equal(T.questions[1].titles, { 'Enable', 'Not now', 'Never' })
  T.equal(type(status.durationMs), 'number')
end)

test('the status line and the autocommand tell how it went', function()
  T.equal(require('evonic').statusline(), 'evonic: demo ok')
  T.equal(require('evonic').status().plugin, 'demo')
  local status = T.statuses[#T.statuses]
  T.equal({ status.plugin, status.state, type(status.generation) }, { 'demo', 'ok', 'number' })
end)

test('progress is shown while it reloads', function()
  T.progress = {}
  T.after(function()
    T.save(vim.list_extend({ '# changed' }, GOOD))
  end, 'ok', 'demo')
  -- The end of an earlier one may still come in.
  T.wait('begin and end', function()
    return table.concat(T.progress, ', '):find('begin Reloading demo, end Reloading demo', 1, true)
  end)
end)

test(':w brings the error on its exact range', function()
  T.after(function()
    T.save({ 'GREETING = "hello"', 'x = "é😀"; boom()' })
  end, 'failed', 'demo')
  local found = T.wait('a diagnostic', function()
    return diagnostics()[1]
  end)
  T.equal(#diagnostics(), 1)
  T.equal({ found.source, found.code }, { 'evonic', 'NameError' })
  T.equal(found.severity, vim.diagnostic.severity.ERROR)
  T.equal({ found.lnum, found.col, found.end_lnum, found.end_col }, { 1, 14, 1, 18 })
  T.equal(require('evonic').statusline(), 'evonic: demo failed')
end)

test('a fix clears it', function()
  T.after(function()
    T.save(GOOD)
  end, 'ok', 'demo')
  T.wait('no diagnostic', function()
    return #diagnostics() == 0
  end)
end)

test('an error in a file that is not open goes to that file', function()
  local helper = T.file('demo', 'helper.py')
  vim.fn.writefile({ 'def broken(:' }, helper)
  T.after(function()
    T.save(vim.list_extend({ 'from . import helper' }, GOOD))
  end, 'failed', 'demo')
  T.wait('a diagnostic in helper.py', function()
    local all = vim.diagnostic.get(nil, { severity = vim.diagnostic.severity.ERROR })
    return #all == 1 and vim.api.nvim_buf_get_name(all[1].bufnr) == helper
  end)
  vim.fn.delete(helper)
  T.after(function()
    T.save(GOOD)
  end, 'ok', 'demo')
  T.wait('no diagnostic', function()
    return #vim.diagnostic.get(nil, { severity = vim.diagnostic.severity.ERROR }) == 0
  end)
end)

test('a manifest that is broken is told of in the manifest', function()
  T.open('demo', 'plugin.json')
  local lines = vim.api.nvim_buf_get_lines(0, 0, -1, false)
  T.after(function()
    T.save({ '{"id": "demo",, }' })
  end, 'failed', 'demo')
  T.wait('a diagnostic', function()
    return #diagnostics() == 1
  end)
  T.equal(diagnostics()[1].lnum, 0)
  T.after(function()
    T.save(lines)
  end, 'ok', 'demo')
  T.wait('no diagnostic', function()
    return #diagnostics() == 0
  end)
  T.open('demo')
end)

test('who says never is not asked again', function()
  T.open('shy')
  T.answers = { 'Never' }
  T.after(function()
    T.save(GOOD)
  end, 'idle', 'shy')
  T.wait('the question', function()
    return #T.questions == 2
  end)
  T.wait('the decision', function()
    local last = T.statuses[#T.statuses]
    return last.message == 'hot reload is off for shy'
  end)
  T.after(function()
    T.save(vim.list_extend({ '# changed' }, GOOD))
  end, 'idle', 'shy')
  T.equal(#T.questions, 2)
  T.open('demo')
end)
