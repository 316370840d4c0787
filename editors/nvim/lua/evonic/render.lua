--- The text of the view of all plugins.
local M = {}

local STATES = {
  reloaded = { 'ok', 'EvonicOk' },
  unchanged = { 'ok', 'EvonicOk' },
  rejected = { 'failed', 'EvonicFailed' },
  ['rolled back'] = { 'failed', 'EvonicFailed' },
  stuck = { 'stuck', 'EvonicFailed' },
}
local FAILED = { rejected = true, ['rolled back'] = true, stuck = true }
local windows = vim.fn.has('win32') == 1
local HELP = 'r reload  e enable  d disable  a all on/off  R refresh  <CR> go to  q close'
local LINKS = {
  EvonicOk = 'DiagnosticOk',
  EvonicFailed = 'DiagnosticError',
  EvonicOff = 'Comment',
  EvonicTitle = 'Title',
  EvonicHelp = 'Comment',
}

--- What a line is about: a plugin, and in the line of an error that error.
--- @class evonic.Row
--- @field plugin? string
--- @field problem? table

--- @class evonic.Page
--- @field lines string[]
--- @field marks {line: integer, from: integer, to: integer, group: string}[]
--- @field rows table<integer, evonic.Row>

-- Names and messages are those of a host: a newline in them is no new line of a buffer.
local function one_line(text)
  return (text:gsub('%s*[\r\n]%s*', ' '))
end

--- @param page evonic.Page
--- @param cells (string|{[1]: string, [2]: string})[] texts, or a text and its highlight group
--- @param row? evonic.Row
local function add(page, cells, row)
  local line = ' '
  for _, cell in ipairs(cells) do
    local text, highlight = cell, nil
    if type(cell) == 'table' then
      text, highlight = cell[1], cell[2]
    end
    text = one_line(text)
    if highlight then
      local mark = { line = #page.lines, from = #line, to = #line + #text, group = highlight }
      table.insert(page.marks, mark)
    end
    line = line .. text
  end
  table.insert(page.lines, line)
  page.rows[#page.lines] = row
end

local function padded(text, width)
  text = one_line(text)
  return text .. (' '):rep(width - vim.fn.strdisplaywidth(text))
end

local function new_page()
  for name, link in pairs(LINKS) do
    vim.api.nvim_set_hl(0, name, { link = link, default = true })
  end
  return { lines = {}, marks = {}, rows = {} }
end

--- @return string text, string group
local function state_of(info)
  if not info.enabled then
    return 'switched off', 'EvonicOff'
  end
  local state = info.outcome and STATES[info.outcome.status]
  if state then
    return state[1], state[2]
  elseif info.generation then
    return 'running', 'EvonicOk'
  end
  return 'not loaded', 'EvonicOff'
end

local function clock(time)
  return os.date('%H:%M:%S', math.floor(time))
end

--- When the plugin was reloaded last, and how that went. What is wrong stands below it.
local function last_reload(info)
  local outcome = info.outcome
  if not outcome then
    return ''
  end
  local when = outcome.at > 0 and clock(outcome.at) .. '  ' or ''
  if FAILED[outcome.status] and #outcome.problems > 0 then
    local since = outcome.loadedAt
    local serving = since and ('the version of %s goes on serving'):format(clock(since))
    return when .. (serving or 'nothing serves')
  end
  local text = when .. outcome.message
  if outcome.durationMs and outcome.durationMs > 0 then
    text = text .. (' (%.1f ms)'):format(outcome.durationMs)
  end
  return text
end

local function add_plugin(page, info, width)
  local row = { plugin = info.id }
  local state, group = state_of(info)
  add(page, {
    padded(info.id, width) .. '  ',
    {
      padded(info.hotreload and 'on save' or 'off', 10),
      info.hotreload and 'EvonicOk' or 'EvonicOff',
    },
    { padded(state, 13), group },
    padded(info.generation and tostring(info.generation) or '-', 5),
    last_reload(info),
  }, row)
  for _, problem in ipairs(info.outcome and info.outcome.problems or {}) do
    local place = problem.place
    local where = place and ('%s:%d: '):format(place.file, place.startLine + 1) or ''
    local severe = problem.severity == 'error' and 'EvonicFailed' or 'DiagnosticWarn'
    add(
      page,
      { '    ', where, { problem.message, severe } },
      { plugin = info.id, problem = problem }
    )
  end
end

--- @param status table what the host said
--- @return evonic.Page
function M.page(status)
  local page = new_page()
  local title = ('Evonic %s  %s'):format(status.version, vim.fn.fnamemodify(status.root, ':~'))
  add(page, { { title, 'EvonicTitle' } })
  local switch = status.enabled and { 'hot reload is on', 'EvonicOk' }
    or { 'hot reload is off for all plugins', 'EvonicFailed' }
  add(page, { switch, (', bridge %s, process %d'):format(status.bridge, status.pid) })
  for _, note in ipairs(status.degraded or {}) do
    add(page, { { note, 'DiagnosticWarn' } })
  end
  add(page, {})
  local width = 8
  for _, info in ipairs(status.plugins) do
    width = math.max(width, vim.fn.strdisplaywidth(one_line(info.id)))
  end
  local head = padded('plugin', width) .. '  reload    state        gen  last reload'
  add(page, { { head, 'EvonicHelp' } })
  for _, info in ipairs(status.plugins) do
    add_plugin(page, info, width)
  end
  if #status.plugins == 0 then
    add(page, { { 'no plugins', 'EvonicOff' } })
  end
  add(page, {})
  add(page, { { HELP, 'EvonicHelp' } })
  return page
end

--- @param why_not string
--- @return evonic.Page
function M.failure(why_not)
  local page = new_page()
  for _, line in ipairs(vim.split(why_not, '\n', { plain = true })) do
    add(page, { { line, 'EvonicFailed' } })
  end
  add(page, {})
  add(page, { ':checkhealth evonic tells what is missing' })
  add(page, {})
  add(page, { { 'R refresh  q close', 'EvonicHelp' } })
  return page
end

--- The first line about a plugin.
--- @param rows table<integer, evonic.Row>
--- @param plugin? string
--- @return integer?
function M.line_of(rows, plugin)
  local lines = vim.tbl_keys(rows)
  table.sort(lines)
  for _, line in ipairs(lines) do
    if plugin == nil or rows[line].plugin == plugin then
      return line
    end
  end
end

--- A path in `folder`; nil for parts that lead out of it, which a host may name.
--- @param folder string
--- @param ... string
--- @return string?
local function below(folder, ...)
  for _, part in ipairs({ ... }) do
    local steps = vim.split(part, windows and '[/\\]' or '/')
    local drive = windows and part:find(':', 1, true)
    if steps[1] == '' or drive or part:find('\0', 1, true) or vim.list_contains(steps, '..') then
      return nil
    end
  end
  return vim.fs.joinpath(folder, ...)
end

--- Where <CR> goes: the error of the line, the first error of the plugin, its code, its manifest. Nil where a host
--- names a place that no plugin can have.
--- @param status table
--- @param row evonic.Row
--- @return string? file, integer? line, integer? column
function M.place(status, row)
  local problem = row.problem
  for _, info in ipairs(status.plugins) do
    if info.id == row.plugin then
      problem = problem or (info.outcome and info.outcome.problems[1])
    end
  end
  local place = problem and problem.place
  if not place then
    local code = below(status.pluginsDir, row.plugin, 'handler.py')
    if code and not vim.uv.fs_stat(code) then
      return below(status.pluginsDir, row.plugin, 'plugin.json')
    end
    return code
  end
  local base = place.plugin and below(status.pluginsDir, place.plugin)
    or not place.plugin and vim.fs.dirname(status.pluginsDir)
  local file = base and below(base, place.file)
  if not file or place.startLine < 0 or place.startColumn < 0 then
    return nil
  end
  -- Columns on the wire count code points.
  local first = place.first or ''
  local column = vim.str_byteindex(first, 'utf-32', place.startColumn, false)
  return file, place.startLine + 1, column
end

return M
