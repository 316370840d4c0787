--- Log buffers: the server's own, and those of plugins.
local M = {}

--- How many lines are kept, the newest.
M.MOST_LINES = 5000

local group = vim.api.nvim_create_augroup('evonic.log', {})
local following = {} --- @type table<integer, vim.SystemObj> by buffer

--- Adds lines at the end, and drops the oldest; windows that show the end go on showing it.
--- @param bufnr integer
--- @param new string[]
function M.append(bufnr, new)
  local before = vim.api.nvim_buf_line_count(bufnr)
  local empty = before == 1 and vim.api.nvim_buf_get_lines(bufnr, 0, 1, false)[1] == ''
  vim.bo[bufnr].modifiable = true
  vim.api.nvim_buf_set_lines(bufnr, empty and 0 or -1, -1, false, new)
  local at_end = vim.tbl_filter(function(window)
    return vim.api.nvim_win_get_cursor(window)[1] >= before
  end, vim.fn.win_findbuf(bufnr))
  local excess = math.max(0, vim.api.nvim_buf_line_count(bufnr) - M.MOST_LINES)
  vim.api.nvim_buf_set_lines(bufnr, 0, excess, false, {})
  vim.bo[bufnr].modifiable = false
  local last = vim.api.nvim_buf_line_count(bufnr)
  for _, window in ipairs(at_end) do
    vim.api.nvim_win_set_cursor(window, { last, 0 })
  end
end

--- Shows the buffer of this name below, and returns its number; it is new if it was not there.
--- @param name string
--- @return integer bufnr, boolean new
local function show(name)
  -- Not |bufnr()|, for which a name is a pattern.
  local bufnr = vim.iter(vim.api.nvim_list_bufs()):find(function(each)
    return vim.api.nvim_buf_get_name(each) == name
  end)
  local new = bufnr == nil
  if new then
    bufnr = vim.api.nvim_create_buf(false, true)
    vim.api.nvim_buf_set_name(bufnr, name)
    vim.bo[bufnr].bufhidden = 'wipe'
    vim.bo[bufnr].modifiable = false
    vim.bo[bufnr].undolevels = -1
    vim.bo[bufnr].filetype = 'evonic-log'
    vim.keymap.set('n', 'q', '<Cmd>close<CR>', { buffer = bufnr, desc = 'Close' })
  end
  local window = vim.fn.bufwinid(bufnr)
  if window ~= -1 then
    vim.api.nvim_set_current_win(window)
  else
    vim.api.nvim_open_win(bufnr, true, { split = 'below', win = 0, height = 12 })
    vim.wo.wrap = false
  end
  return bufnr, new
end

--- The log of the server.
function M.server()
  local name, lines = require('evonic.state').logged()
  local bufnr, new = show(name)
  if new and #lines > 0 then
    M.append(bufnr, lines)
  end
end

--- Takes what a process writes, in pieces, and adds the whole lines.
--- @param bufnr integer
local function lines_to(bufnr)
  local rest = ''
  return vim.schedule_wrap(function(_, data)
    if not data or not vim.api.nvim_buf_is_valid(bufnr) then
      return
    end
    local got = vim.split(rest .. data, '\n', { plain = true })
    rest = table.remove(got) -- no whole line yet
    if #got > 0 then
      M.append(bufnr, got)
    end
  end)
end

--- Ends the process that writes into a buffer.
local function unfollow(bufnr)
  if following[bufnr] then
    following[bufnr]:kill(15)
    following[bufnr] = nil
  end
end

--- The log that a plugin writes in Evonic, and what comes as long as it is shown.
--- @param plugin string
--- @param root string? the Evonic; without one, the only one that runs
function M.plugin(plugin, root)
  local arguments = { 'logs', plugin, '--follow' }
  if root then
    vim.list_extend(arguments, { '--evonic', root })
  end
  local bufnr, new = show('evonic://log/' .. plugin)
  if following[bufnr] then
    return
  end
  local options = { stdout = lines_to(bufnr), stderr = lines_to(bufnr) }
  local server = require('evonic.server')
  following[bufnr] = server.run(root or vim.fn.getcwd(), arguments, options, function()
    following[bufnr] = nil
  end)
  if new then
    vim.api.nvim_create_autocmd('BufWipeout', {
      group = group,
      buffer = bufnr,
      callback = function()
        unfollow(bufnr)
      end,
    })
  end
end

-- What Neovim has started, it does not end.
vim.api.nvim_create_autocmd('VimLeavePre', {
  group = group,
  callback = function()
    vim.tbl_map(unfollow, vim.tbl_keys(following))
  end,
})

return M
