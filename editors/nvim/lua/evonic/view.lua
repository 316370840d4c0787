--- The view of all plugins: a floating window that follows what happens, with keys to act.
local M = {}

local commands = require('evonic.commands')
local render = require('evonic.render')

local NAME = 'evonic://status'
local FOLLOWED = { ok = true, failed = true, idle = true, disconnected = true, stopped = true }

local namespace = vim.api.nvim_create_namespace('evonic.view')
local group = vim.api.nvim_create_augroup('evonic.view', {})
local view = nil --- @type evonic.View?

--- @class evonic.View
--- @field bufnr integer
--- @field status? table what the host said last
--- @field rows table<integer, evonic.Row> what is in a line
--- @field asking? integer the client that is asked and has not answered
--- @field again boolean something happened while asking

local function valid()
  return view ~= nil and vim.api.nvim_buf_is_valid(view.bufnr)
end

local function window()
  return valid() and vim.fn.win_findbuf(view.bufnr)[1] or -1
end

--- As large as the text, in the middle of the screen.
--- @param lines string[]
local function geometry(lines)
  local width = 60
  for _, line in ipairs(lines) do
    width = math.max(width, vim.fn.strdisplaywidth(line) + 1)
  end
  width = math.min(width, vim.o.columns - 4)
  local height = math.max(1, math.min(#lines, vim.o.lines - 6))
  return {
    relative = 'editor',
    width = width,
    height = height,
    row = math.max(0, math.floor((vim.o.lines - height) / 2) - 1),
    col = math.max(0, math.floor((vim.o.columns - width) / 2)),
  }
end

--- @param why_not? string
local function draw(why_not)
  local page = why_not and render.failure(why_not) or render.page(view.status)
  vim.bo[view.bufnr].modifiable = true
  vim.api.nvim_buf_set_lines(view.bufnr, 0, -1, false, page.lines)
  vim.bo[view.bufnr].modifiable = false
  vim.api.nvim_buf_clear_namespace(view.bufnr, namespace, 0, -1)
  for _, mark in ipairs(page.marks) do
    vim.api.nvim_buf_set_extmark(view.bufnr, namespace, mark.line, mark.from, {
      end_col = mark.to,
      hl_group = mark.group,
    })
  end
  view.rows = page.rows
  if window() ~= -1 then
    vim.api.nvim_win_set_config(window(), geometry(page.lines))
  end
end

--- Asks the host and draws; what happens meanwhile is asked about once more.
function M.refresh()
  if not valid() then
    return
  end
  local client = commands.client()
  local id = client and client.id
  -- A server that has ended never answers.
  if id and view.asking == id then
    view.again = true
    return
  end
  view.asking, view.again = id, false
  local mine = view
  commands.ask('status', nil, function(status, why_not)
    if view ~= mine or mine.asking ~= id or not valid() then
      return
    end
    mine.asking = nil
    local first = view.status == nil
    view.status = status
    draw(why_not)
    if first and status then
      M.go_to(status.current)
    end
    if view.again then
      M.refresh()
    end
  end)
end

--- Puts the cursor on a plugin.
--- @param plugin? string
function M.go_to(plugin)
  local line = render.line_of(view.rows, plugin)
  if line and window() ~= -1 then
    vim.api.nvim_win_set_cursor(window(), { line, 0 })
  end
end

function M.close()
  if window() ~= -1 then
    vim.api.nvim_win_close(window(), true)
  end
end

--- What is in the line of the cursor.
--- @return evonic.Row
local function row()
  return view.rows[vim.api.nvim_win_get_cursor(0)[1]] or {}
end

--- Does something with the plugin under the cursor.
local function with_plugin(act)
  return function()
    local plugin = row().plugin
    if plugin then
      act(plugin)
    end
  end
end

--- Opens the place of an error, or else the plugin itself.
local function jump()
  local target = row()
  if not target.plugin or not view.status then
    return
  end
  local file, line, column = render.place(view.status, target)
  if not file then
    return vim.notify('evonic: that place is not inside of Evonic', vim.log.levels.WARN)
  end
  M.close()
  -- Not |:edit|: that reads a file again that is open, and fails if it was changed.
  local bufnr = vim.fn.bufadd(file)
  vim.bo[bufnr].buflisted = true
  local shown, why_not = pcall(vim.cmd.buffer, bufnr)
  if not shown then
    return vim.notify('evonic: ' .. why_not, vim.log.levels.ERROR)
  end
  vim.cmd.checktime(bufnr) -- what failed may have been written elsewhere
  if line then
    line = math.min(line, vim.api.nvim_buf_line_count(0))
    vim.api.nvim_win_set_cursor(0, { line, column or 0 })
  end
end

local function switch_all()
  if view.status then
    commands.switch(not view.status.enabled, '*')
  end
end

local KEYS = {
  r = { with_plugin(commands.reload), 'Reload the plugin' },
  e = {
    with_plugin(function(plugin)
      commands.switch(true, plugin)
    end),
    'Reload the plugin on save',
  },
  d = {
    with_plugin(function(plugin)
      commands.switch(false, plugin)
    end),
    'Do not reload the plugin on save',
  },
  a = { switch_all, 'Turn hot reload of all plugins on or off' },
  R = { M.refresh, 'Ask again' },
  ['<CR>'] = { jump, 'Go to the error, or to the plugin' },
  q = { M.close, 'Close' },
  ['<Esc>'] = { M.close, 'Close' },
}

local function make_buffer()
  local bufnr = vim.api.nvim_create_buf(false, true)
  vim.api.nvim_buf_set_name(bufnr, NAME)
  vim.bo[bufnr].bufhidden = 'wipe'
  vim.bo[bufnr].modifiable = false
  vim.bo[bufnr].filetype = 'evonic-status'
  for key, action in pairs(KEYS) do
    vim.keymap.set('n', key, action[1], { buffer = bufnr, nowait = true, desc = action[2] })
  end
  return bufnr
end

local function follow()
  vim.api.nvim_clear_autocmds({ group = group })
  vim.api.nvim_create_autocmd('User', {
    group = group,
    pattern = 'EvonicStatus',
    callback = function(event)
      if not valid() then
        return true
      elseif FOLLOWED[event.data.state] then
        M.refresh()
      end
    end,
  })
end

--- Opens the view, or goes to it.
function M.open()
  if window() ~= -1 then
    vim.api.nvim_set_current_win(window())
    return M.refresh()
  end
  view = { bufnr = make_buffer(), rows = {}, again = false }
  local config = vim.tbl_extend('error', geometry({}), { title = ' Evonic ', style = 'minimal' })
  config.border = vim.o.winborder == '' and 'rounded' or nil
  local opened = vim.api.nvim_open_win(view.bufnr, true, config)
  vim.wo[opened].cursorline = true
  vim.wo[opened].wrap = false
  follow()
  M.refresh()
end

return M
