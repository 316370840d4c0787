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

test('the view is in one tab page, and is gone to there', function()
  vim.cmd('Evonic status')
  local window = vim.api.nvim_get_current_win()
  vim.cmd.tabnew()
  vim.cmd('Evonic status')
  T.equal(vim.api.nvim_get_current_win(), window)
  T.press('q')
  vim.cmd.tabonly()
end)

-- What a host might say, which need not be ours.

local render = require('evonic.render')

local function problem(place)
  return { message = 'boom\n  twice', severity = 'error', place = place }
end

--- @param plugins {id: string, problem?: table}[]
local function status_of(plugins)
  return {
    version = '1',
    root = T.root .. '\n',
    bridge = '1',
    pid = 1,
    enabled = true,
    degraded = { 'without\nsomething' },
    pluginsDir = T.root .. '/plugins',
    plugins = vim.tbl_map(function(each)
      local outcome = { status = 'rejected', at = 1, message = 'a\nb', problems = { each.problem } }
      return { id = each.id, name = each.id, enabled = true, hotreload = true, outcome = outcome }
    end, plugins),
  }
end

--- Opens the view of a host that says this, and does something there.
local function with(status, act)
  T.answering(status, function()
    vim.cmd('Evonic status')
    act()
  end)
  require('evonic.view').close()
end

local function place(file, line, column, plugin)
  return { plugin = plugin, file = file, startLine = line, startColumn = column or 0, first = 'x' }
end

test('a newline in a name is no line of its own', function()
  local plugins = {
    { id = 'two\nlines', problem = problem(place('han\ndler.py', 0, 0, 'two\nlines')) },
    { id = 'with\r\nreturn' },
  }
  with(status_of(plugins), function()
    T.contains(T.text(), 'two lines')
    T.contains(T.text(), 'han dler.py:1: boom twice')
    T.contains(T.text(), 'with return')
    T.contains(T.text(), 'without something')
  end)
end)

test('a file with a newline in its name is gone to', function()
  local file = T.file('demo', 'new\nline.py')
  vim.uv.fs_close(assert(vim.uv.fs_open(file, 'w', 420)))
  with(
    status_of({ { id = 'demo', problem = problem(place('new\nline.py', 0, 0, 'demo')) } }),
    function()
      on('demo')
      T.press('<CR>')
      T.equal(vim.api.nvim_buf_get_name(0), file)
      vim.cmd.bwipeout()
    end
  )
  vim.fn.delete(file)
  T.open('demo')
end)

test('a place outside of Evonic leads nowhere, and that is told', function()
  local places = {
    place('../../../etc/passwd', 0, 0, 'demo'),
    place('lib/../../../x.py', 0, 0, 'demo'),
    place('..', 0, 0, 'demo'),
    place('/etc/passwd', 0, 0, 'demo'),
    place('', 0, 0, 'demo'),
    place('handler.py\0', 0, 0, 'demo'),
    place('handler.py', -1, 0, 'demo'),
    place('handler.py', 0, -1, 'demo'),
    place('handler.py', 0, 0, '../..'),
    place('handler.py', 0, 0, '/etc'),
    place('../passwd', 0, 0, nil),
    place('/etc/passwd', 0, 0, nil),
  }
  for _, each in ipairs(places) do
    local status = status_of({ { id = 'demo', problem = problem(each) } })
    T.equal(render.place(status, { plugin = 'demo' }), nil)
  end
  for _, id in ipairs({ '../../x', '/etc', '' }) do
    T.equal(render.place(status_of({ { id = id } }), { plugin = id }), nil)
  end
  local good = status_of({ { id = 'demo', problem = problem(place('a/..b.py', 2, 1, 'demo')) } })
  T.equal({ render.place(good, { plugin = 'demo' }) }, { T.file('demo', 'a/..b.py'), 3, 1 })
  local at_root = status_of({ { id = 'demo', problem = problem(place('app.py', 0, 0, nil)) } })
  T.equal(render.place(at_root, { plugin = 'demo' }), T.root .. '/app.py')
  with(status_of({ { id = 'demo', problem = problem(places[1]) } }), function()
    on('demo')
    T.told(function()
      T.press('<CR>')
    end, 'not inside of Evonic')
    T.equal(vim.bo.filetype, 'evonic-status')
  end)
end)

test('<CR> goes to an error in a file that is changed and not saved', function()
  T.open('demo')
  vim.api.nvim_buf_set_lines(0, 0, 0, false, { '# not saved', '' })
  with(
    status_of({ { id = 'demo', problem = problem(place('handler.py', 1, 0, 'demo')) } }),
    function()
      on('demo')
      T.press('<CR>')
      T.equal(vim.api.nvim_buf_get_name(0), T.file('demo'))
      T.equal(vim.api.nvim_win_get_cursor(0), { 2, 0 })
      T.equal(vim.api.nvim_buf_get_lines(0, 0, 1, false), { '# not saved' })
    end
  )
  vim.cmd.edit({ bang = true })
end)
