if vim.g.loaded_evonic then
  return
end
vim.g.loaded_evonic = true

if vim.fn.has('nvim-0.11.3') == 0 then
  vim.notify_once('evonic: needs Neovim 0.11.3 or newer', vim.log.levels.WARN)
  return
end

vim.api.nvim_create_user_command('Evonic', function(command)
  require('evonic.commands').run(command.fargs)
end, {
  nargs = '*',
  desc = 'Plugins of a running Evonic: reload, switch, show',
  complete = function(lead, line, position)
    return require('evonic.commands').complete(lead, line, position)
  end,
})

if (vim.g.evonic or {}).enabled ~= false then
  vim.lsp.enable('evonic')
end
