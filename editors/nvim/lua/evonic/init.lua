--- What a configuration may call. Nothing here has to be called.
local M = {}

--- That of evonic-lsp, of which this plugin is a part.
M.version = '0.1.0'

-- Of vim.g.evonic, what is for this side and not for the server.
local OURS = { cmd = true, enabled = true }

--- The settings for the server, from vim.g.evonic.
--- @return table<string, any>
function M.settings()
  local settings = vim.empty_dict()
  for key, value in pairs(vim.g.evonic or {}) do
    if not OURS[key] then
      settings[key] = value
    end
  end
  return settings
end

--- The same as setting vim.g.evonic, for plugin managers that call it. Not needed.
--- @param options? table
function M.setup(options)
  vim.g.evonic = vim.tbl_extend('force', vim.g.evonic or {}, options or {})
  vim.lsp.config('evonic', {}) -- what was resolved from older settings is forgotten
  if vim.g.evonic.enabled == false then
    vim.lsp.enable('evonic', false)
  end
end

--- What is known of the plugin that a buffer belongs to: the fields of `evonic/status`. Nil outside of plugins.
--- @param bufnr? integer
--- @return evonic.Status?
function M.status(bufnr)
  local plugin = require('evonic.paths').plugin(bufnr or 0)
  return plugin and require('evonic.state').of(plugin)
end

--- For a status line: "evonic: demo ok"; empty where there is nothing to say.
--- @return string
function M.statusline()
  local status = M.status(0)
  if not status then
    return ''
  end
  local text = status.plugin and (status.plugin .. ' ' .. status.state) or status.state
  return 'evonic: ' .. text:gsub('%%', '%%%%')
end

return M
