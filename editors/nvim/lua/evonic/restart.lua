--- The end of a server, waited for without blocking.
local M = {}

-- Milliseconds. A server that has not ended by then is told to by a signal, and at last left to itself.
local STEP, PATIENCE, LIMIT = 20, 2000, 3000

--- Calls `done` when none of these clients, which have been told to stop, is there any more.
--- @param clients vim.lsp.Client[]
--- @param done fun()
function M.when_ended(clients, done)
  local timer = assert(vim.uv.new_timer())
  local waited = 0
  local function look()
    local left = vim.tbl_filter(function(client)
      return vim.lsp.get_client_by_id(client.id) ~= nil
    end, clients)
    waited = waited + STEP
    for _, client in ipairs(left) do
      if waited == PATIENCE then
        client.rpc.terminate()
      elseif waited == LIMIT then
        vim.diagnostic.reset(vim.lsp.diagnostic.get_namespace(client.id))
      end
    end
    if #left == 0 or waited >= LIMIT then
      timer:close()
      done()
    end
  end
  local in_main_loop = vim.schedule_wrap(function()
    if not timer:is_closing() then
      look()
    end
  end)
  timer:start(0, STEP, in_main_loop)
end

return M
