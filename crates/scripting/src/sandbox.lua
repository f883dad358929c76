-- What scripts see. Run once, when the interpreter is made; scripts never reach anything of this
-- file's but what it hands out.
--
-- Stock Lua has no read-only tables, so what scripts share is shown through empty tables ("guards")
-- whose metatable reads from the real one and refuses writes. Whatever would reach past a guard's
-- metatable (rawset, next, setmetatable ...) is replaced by a version that knows guards. Functions
-- that could be made to run away inside C, where no hook reaches, are bounded here.

local native, libraries = ...

local error, next, pairs, pcall, xpcall = error, next, pairs, pcall, xpcall
local rawget, rawset, setmetatable, getmetatable = rawget, rawset, setmetatable, getmetatable
local tonumber, tostring, type, unpack = tonumber, tostring, type, unpack
local string, table, math, coroutine = string, table, math, coroutine
local insert, concat = table.insert, table.concat
local find, match, gmatch, gsub = string.find, string.match, string.gmatch, string.gsub
local resume, wrap = coroutine.resume, coroutine.wrap

local READONLY = 'Attempt to modify a readonly table'

-- Values that one call may be given by unpack: as many as a C function's stack holds.
local UNPACK_MAX = 8000

-- A pattern's items are matched by recursion in C; its length bounds the depth.
local PATTERN_MAX = 4096

local guarded = {} -- guard -> the table it shows
local shown = {}   -- guard -> what getmetatable says of it

local function refuse()
  error(READONLY, 2)
end

local function guard(real)
  local proxy = {}
  guarded[proxy] = real
  setmetatable(proxy, { __index = real, __newindex = refuse })
  return proxy
end

local function missing(_, name)
  error("Script attempted to access nonexistent global variable '" .. tostring(name) .. "'", 2)
end

-- Errors of our own functions come as userdata; a script sees the value it would have seen.
local function caught(e)
  if type(e) == 'userdata' then
    return (native.caught(e))
  end
  return e
end

local function protected(ok, e, ...)
  if ok then
    return ok, e, ...
  end
  e = caught(e)
  if type(e) == 'table' then
    local text = e.err
    if type(text) == 'string' then
      e = text
    end
  end
  return false, e
end

local function resumed(ok, e, ...)
  if ok then
    return ok, e, ...
  end
  return false, caught(e)
end

local common = {}
for _, name in pairs {
  'assert', 'error', 'gcinfo', 'ipairs', 'rawequal', 'select', 'tonumber', 'tostring', 'type', '_VERSION',
} do
  common[name] = _G[name]
end

common.collectgarbage = native.collectgarbage

function common.next(t, k)
  return next(guarded[t] or t, k)
end

function common.pairs(t)
  local real = guarded[t]
  if not real then
    return pairs(t)
  end
  return function(_, k)
    return next(real, k)
  end, t, nil
end

function common.rawget(t, k)
  return rawget(guarded[t] or t, k)
end

function common.rawset(t, k, v)
  if guarded[t] then
    error(READONLY, 0)
  end
  return rawset(t, k, v)
end

function common.setmetatable(t, meta)
  if guarded[t] then
    error(READONLY, 0)
  end
  return setmetatable(t, meta)
end

function common.pcall(...)
  return protected(pcall(...))
end

function common.xpcall(f, handler)
  return xpcall(f, function(e)
    local stops = false
    if type(e) == 'userdata' then
      e, stops = native.caught(e)
    end
    -- A handler runs before the stack is unwound. When a hook raised the error that is inside the
    -- hook, where no other hook reaches: a handler that does not end could never be stopped.
    if stops then
      return e
    end
    return handler(e)
  end)
end

function common.unpack(t, from, to)
  -- Arguments that were not given take no place on the stack that the values need.
  if from == nil and to == nil then
    return unpack(t)
  end
  if type(t) == 'table' then
    local first, last = tonumber(from or 1), tonumber(to or #t)
    if first and last and not (last - first < UNPACK_MAX) then
      error('too many results to unpack', 2)
    end
  end
  return unpack(t, from, to)
end

-- Libraries. The string library is changed in place: methods of strings are looked up there.
string.rep = native.rep

local function bounded(pattern)
  if type(pattern) == 'string' and #pattern > PATTERN_MAX then
    error('malformed pattern (longer than ' .. PATTERN_MAX .. ' bytes)', 3)
  end
end

function string.find(s, pattern, from, plain)
  if not plain then
    bounded(pattern)
  end
  return find(s, pattern, from, plain)
end

function string.match(s, pattern, from)
  bounded(pattern)
  return match(s, pattern, from)
end

function string.gmatch(s, pattern)
  bounded(pattern)
  return gmatch(s, pattern)
end
string.gfind = string.gmatch

function string.gsub(s, pattern, with, most)
  bounded(pattern)
  return gsub(s, pattern, with, most)
end

function table.insert(t, ...)
  if guarded[t] then
    error(READONLY, 0)
  end
  return insert(t, ...)
end

math.random, math.randomseed = native.random, native.randomseed

function coroutine.resume(...)
  return resumed(resume(...))
end

common.string = guard(string)
common.table = guard(table)
common.math = guard(math)
common.coroutine = guard(coroutine)
common.os = guard { clock = native.clock }
for name, library in pairs(libraries) do
  common[name] = guard(library)
end

local string_meta = guard { __index = common.string }

function common.getmetatable(value)
  if type(value) == 'string' then
    return string_meta
  end
  if guarded[value] then
    return shown[value]
  end
  return getmetatable(value)
end

-- A set of globals: the common ones, `more`, and what needs to know them.
local function world(more)
  local base = {}
  for name, value in pairs(common) do
    base[name] = value
  end
  for name, value in pairs(more) do
    base[name] = value
  end
  setmetatable(base, { __index = missing })
  local globals = guard(base)
  shown[globals] = guard { __index = missing }
  base._G = globals

  function base.loadstring(text, name)
    if type(text) == 'number' then
      text = tostring(text)
    elseif type(text) ~= 'string' then
      error("bad argument #1 to 'loadstring' (string expected, got " .. type(text) .. ')', 2)
    end
    return native.compile(text, name or text, globals)
  end

  function base.load(reader, name)
    local pieces = {}
    while true do
      local piece = reader()
      if piece == nil or piece == '' then
        break
      end
      if type(piece) ~= 'string' then
        error('reader function must return a string', 2)
      end
      pieces[#pieces + 1] = piece
    end
    return native.compile(concat(pieces), name or '=(load)', globals)
  end

  return base, globals
end

local base, globals = world { redis = guard(native.script_api) }

-- While a library is loaded it sees little: the same globals then read from somewhere else.
local function closed(api)
  return setmetatable(api, { __index = missing })
end
local library_base, library_globals = world { redis = guard(native.function_api) }
local loading_base = closed { redis = guard(closed(native.loading_api)) }

local function show(loading)
  local now = loading and loading_base or library_base
  getmetatable(library_globals).__index = now
  guarded[library_globals] = now
end

local locate = native.locate

return {
  globals = globals,
  library_globals = library_globals,

  -- Runs a script. True and its value, or false and an error table.
  script = function(f, keys, argv)
    base.KEYS = keys
    base.ARGV = argv
    return xpcall(f, locate)
  end,

  -- Runs a function of a library.
  call = function(f, keys, argv)
    return xpcall(function()
      return f(keys, argv)
    end, locate)
  end,

  -- Runs a library's text, which registers its functions.
  load = function(f)
    show(true)
    local ok, e = xpcall(f, locate)
    show(false)
    return ok, e
  end,
}
