--- Which plugin, and which Evonic, a file belongs to.
local M = {}

local MANIFEST = 'plugin.json'

--- @param path string a file or a folder
--- @return string?
function M.evonic_root(path)
  return vim.fs.root(path, function(name, folder)
    return name == 'app.py'
      and vim.uv.fs_stat(folder .. '/plugins') ~= nil
      and vim.uv.fs_stat(folder .. '/backend/plugin_manager.py') ~= nil
  end)
end

--- The name of a buffer's file; nil for buffers that are none, and for names like "fugitive://…".
--- @param bufnr integer
--- @return string?
function M.file(bufnr)
  local name = vim.api.nvim_buf_get_name(bufnr)
  if name == '' or vim.bo[bufnr].buftype ~= '' or name:match('^%a[%w+.-]+://') then
    return nil
  end
  return name
end

--- The folder to start the server with; nil for files that are no business of Evonic.
--- @param bufnr integer
--- @return string?
function M.root(bufnr)
  local file = M.file(bufnr)
  return file and (M.evonic_root(file) or vim.fs.root(file, MANIFEST))
end

--- The id that a plugin's own manifest declares.
local function declared(folder)
  local ok, manifest = pcall(function()
    return vim.json.decode(table.concat(vim.fn.readfile(folder .. '/' .. MANIFEST), '\n'))
  end)
  return ok and type(manifest) == 'table' and type(manifest.id) == 'string' and manifest.id or nil
end

local function plugin_of(file)
  local folder = vim.fs.root(file, MANIFEST)
  if not folder then
    return nil
  end
  local name = vim.fs.basename(folder)
  if vim.fs.basename(vim.fs.dirname(folder)) == 'plugins' then
    return name
  end
  return declared(folder) or name
end

-- By file, as status lines ask at every redraw; false for files of no plugin.
local known = {} --- @type table<string, string|false>

--- The id of the plugin that a buffer's file belongs to. Below `plugins/` it is the folder's name, as for Evonic.
--- @param bufnr integer
--- @return string?
function M.plugin(bufnr)
  local file = M.file(bufnr)
  if not file then
    return nil
  end
  if known[file] == nil then
    known[file] = plugin_of(file) or false
  end
  return known[file] or nil
end

--- Plugins may have come and gone.
function M.forget()
  known = {}
end

return M
