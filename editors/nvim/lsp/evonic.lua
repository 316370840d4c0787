--- @type vim.lsp.Config
return {
  cmd = function(dispatchers, config)
    return require('evonic.server').start(dispatchers, config and config.root_dir)
  end,
  -- What a plugin is made of; ordinary files of these types are kept out by root_dir.
  filetypes = {
    'python',
    'json',
    'jsonc',
    'yaml',
    'markdown',
    'html',
    'htmldjango',
    'jinja',
    'jinja2',
    'text',
    'xml',
    'css',
    'javascript',
  },
  root_dir = function(bufnr, on_dir)
    local root = require('evonic.paths').root(bufnr)
    if root and require('evonic.server').find_or_tell(root) then
      on_dir(root)
    end
  end,
  -- One server for all plugins and hosts: a second one would show every diagnostic twice.
  reuse_client = function(client, config)
    return client.name == config.name and not client:is_stopped()
  end,
  settings = { evonic = require('evonic').settings() },
  handlers = require('evonic.state').handlers,
  on_init = function(client)
    require('evonic.state').started(client)
  end,
  on_exit = function(code, signal, id)
    require('evonic.state').exited(code, signal, id)
  end,
}
