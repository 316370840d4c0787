--- Log buffers: the server's own, and those of plugins.
local M = {}

--- Adds lines at the end; windows that show the end go on showing it.
--- @param bufnr integer
--- @param new string[]
function M.append(bufnr, new)
  local before = vim.api.nvim_buf_line_count(bufnr)
  local empty = before == 1 and vim.api.nvim_buf_get_lines(bufnr, 0, 1, false)[1] == ''
  vim.bo[bufnr].modifiable = true
  vim.api.nvim_buf_set_lines(bufnr, empty and 0 or -1, -1, false, new)
  vim.bo[bufnr].modifiable = false
  local last = vim.api.nvim_buf_line_count(bufnr)
  for _, window in ipairs(vim.fn.win_findbuf(bufnr)) do
    if vim.api.nvim_win_get_cursor(window)[1] >= before then
      vim.api.nvim_win_set_cursor(window, { last, 0 })
    end
  end
end

--- Shows the buffer of this name below, and returns its number; it is new if it was not there.
--- @param name string
--- @return integer bufnr, boolean new
local function show(name)
  local bufnr = vim.fn.bufnr('^' .. name .. '$')
  local new = bufnr == -1
  if new then
    bufnr = vim.api.nvim_create_buf(false, true)
    vim.api.nvim_buf_set_name(bufnr, name)
    vim.bo[bufnr].bufhidden = 'wipe'
    vim.bo[bufnr].modifiable = false
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

--- The log that a plugin writes in Evonic, and what comes as long as it is shown.
--- @param plugin string
--- @param root string? the Evonic; without one, the only one that runs
function M.plugin(plugin, root)
  local arguments = { 'logs', plugin, '--follow' }
  if root then
    vim.list_extend(arguments, { '--evonic', root })
  end
  local rest = ''
  local bufnr, new = show('evonic://log/' .. plugin)
  if not new then
    return
  end
  local function take(_, data)
    vim.schedule(function()
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
  local options = { stdout = take, stderr = take }
  local run = require('evonic.server').run(
    root or vim.fn.getcwd(),
    arguments,
    options,
    function() end
  )
  vim.api.nvim_create_autocmd('BufWipeout', {
    buffer = bufnr,
    callback = function()
      if run then
        run:kill(15)
      end
    end,
  })
end

return M
