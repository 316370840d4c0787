--- What the server has said: how each plugin is, and its log.
local M = {}

--- `evonic/status`. `state` is disconnected, idle, pending, reloading, ok or failed, or `stopped` when the server
--- itself has ended. Without `plugin` it is about the connection.
--- @class evonic.Status
--- @field state string
--- @field message string
--- @field plugin? string
--- @field durationMs? number
--- @field generation? integer

local LOG = 'evonic://log'
local LEVELS = { 'ERROR', 'WARN', 'INFO', 'LOG', 'DEBUG' }

local plugins = {} --- @type table<string, evonic.Status>
local connection = nil --- @type evonic.Status?
local serving = nil --- @type integer? the id of the client
local lines = {} --- @type string[]

--- What is known of a plugin: its own state, or that of the connection while that is not there.
--- @param plugin string
--- @return evonic.Status?
function M.of(plugin)
  if connection and connection.state ~= 'idle' then
    return connection
  end
  return plugins[plugin] or connection
end

--- @param text string
local function log(text)
  local new = vim.split(vim.trim(text), '\n', { plain = true })
  new[1] = os.date('%H:%M:%S ') .. new[1]
  vim.list_extend(lines, new)
  local most = require('evonic.log').MOST_LINES
  if #lines > most then
    lines = vim.list_slice(lines, #lines - most + 1)
  end
  local bufnr = vim.fn.bufnr('^' .. LOG .. '$')
  if bufnr ~= -1 and vim.api.nvim_buf_is_loaded(bufnr) then
    require('evonic.log').append(bufnr, new)
  end
end

--- Everything that is in the log.
--- @return string name, string[] lines
function M.logged()
  return LOG, lines
end

--- @param status evonic.Status
local function tell(status)
  require('evonic.paths').forget()
  vim.api.nvim_exec_autocmds('User', { pattern = 'EvonicStatus', modeline = false, data = status })
  vim.cmd.redrawstatus({ bang = true })
end

--- @param status evonic.Status
local function take(status)
  if status.plugin then
    plugins[status.plugin] = status
    -- Whatever a host says of a plugin, it is there.
    if status.state ~= 'disconnected' and connection and connection.state == 'disconnected' then
      connection = nil
    end
  else
    connection = status
    if status.state == 'disconnected' then
      plugins = {}
    end
  end
  log(('%s: %s'):format(status.plugin or 'evonic', status.message))
  tell(status)
end

--- A server has started: nothing of an earlier one holds.
--- @param client vim.lsp.Client
function M.started(client)
  plugins, connection, serving = {}, nil, client.id
  log('the server has started')
end

--- The server has ended. Its diagnostics go with it, by Neovim.
--- @param code integer
--- @param signal integer
--- @param id integer of its client
function M.exited(code, signal, id)
  vim.schedule(function()
    -- One that was given up is no news.
    if vim.v.exiting ~= vim.NIL or (serving and serving ~= id) then
      return
    end
    local crashed = code ~= 0 or (signal ~= 0 and signal ~= 15)
    local how = signal ~= 0 and ('signal ' .. signal) or ('exit code ' .. code)
    local message = 'the server has ended'
    if crashed then
      message = ('the server has ended (%s); :Evonic restart starts it again'):format(how)
    end
    plugins, connection = {}, { state = 'stopped', message = message }
    log(message)
    tell(connection)
  end)
end

M.handlers = {
  ['evonic/status'] = function(_, status)
    take(status)
  end,

  ['window/logMessage'] = function(err, params, context, config)
    log(('%s %s'):format(LEVELS[params.type] or '', params.message))
    return vim.lsp.handlers['window/logMessage'](err, params, context, config)
  end,

  ['window/showMessage'] = function(_, params)
    local level = ({ vim.log.levels.ERROR, vim.log.levels.WARN })[params.type]
      or vim.log.levels.INFO
    log(params.message)
    vim.notify('evonic: ' .. params.message, level)
  end,
}

return M
