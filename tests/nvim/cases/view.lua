-- The view of all plugins and its keys.
local T = ...
local test = T.test

local function shown(part)
  T.wait(part .. ' in the view', function()
    return T.text():find(part, 1, true)
  end)
end

--- The line of a plugin, once it matches.
local function line_of(plugin, pattern)
  return T.wait(('%s of %s in\n%s'):format(pattern, plugin, T.text()), function()
    for number, line in ipairs(vim.api.nvim_buf_get_lines(0, 0, -1, false)) do
      if line:match('^ ' .. plugin .. ' ') and line:match(pattern) then
        return number
      end
    end
  end)
end

local function on(plugin)
  vim.api.nvim_win_set_cursor(0, { line_of(plugin, ''), 1 })
end

test(':Evonic status shows all plugins, in a floating window', function()
  T.open('demo')
  vim.cmd('Evonic status')
  T.equal(vim.api.nvim_win_get_config(0).relative, 'editor')
  shown('hot reload is on')
  line_of('demo', 'on save +ok +%d+ ')
  line_of('other', 'off ')
  T.equal(vim.api.nvim_win_get_cursor(0)[1], line_of('demo', ''))
  T.equal(vim.bo.filetype, 'evonic-status')
end)

test('e and d switch the plugin under the cursor', function()
  on('other')
  T.press('e')
  line_of('other', 'on save ')
  on('other')
  T.press('d')
  line_of('other', ' off ')
end)

test('r reloads the plugin under the cursor', function()
  on('demo')
  local generation = vim.api.nvim_get_current_line():match('ok +(%d+)')
  T.press('r')
  line_of('demo', 'ok +' .. (tonumber(generation) + 1) .. ' ')
end)

test('a turns everything off and on', function()
  T.press('a')
  shown('hot reload is off for all plugins')
  T.press('a')
  shown('hot reload is on')
end)

test('errors are shown as they come, and <CR> goes there', function()
  local handler = T.file('demo')
  local good = vim.fn.readfile(handler)
  vim.fn.writefile({ 'ok = 1', 'x = "é"; missing_name' }, handler)
  on('demo')
  T.press('r')
  line_of('demo', 'failed')
  shown('handler.py:2: NameError')
  vim.fn.search('handler.py:2', 'w')
  T.press('<CR>')
  T.equal(vim.api.nvim_buf_get_name(0), handler)
  T.equal(vim.api.nvim_win_get_cursor(0), { 2, 10 })
  T.equal(#vim.api.nvim_list_wins(), 1)
  T.attached()
  T.after(function()
    T.save(good)
  end, 'ok', 'demo')
end)

test('<CR> on a plugin without errors opens its code', function()
  vim.cmd('Evonic')
  on('other')
  T.press('<CR>')
  T.equal(vim.api.nvim_buf_get_name(0), T.file('other'))
  T.open('demo')
end)

test('R asks again, q closes, and what happens later does no harm', function()
  vim.cmd('Evonic status')
  shown('hot reload is on')
  T.press('R')
  shown('hot reload is on')
  T.press('q')
  T.equal(#vim.api.nvim_list_wins(), 1)
  T.after(function()
    vim.cmd('Evonic reload demo')
  end, 'ok', 'demo')
end)
