"""What the Redis queue does in one step each: Lua, run by the server, so that no crash falls in between.

Keys (``Q`` is ``{queue name}``, in braces so that a cluster keeps them together):

    Q:lane:N      stream of messages, one per trigger; consumer group ``workers``
    Q:later:N     sorted set of delayed event ids, by the time when they are due
    Q:held        hash: event id -> a delayed message, packed
    Q:where       hash: event id -> where it is: ``lane entry``, ``later lane`` or ``dead entry``
    Q:updates     hash: person -> the waiting update, ``revision final id``
    Q:droppable   sorted set of waiting updates that are not final, by the time when they were put
    Q:dead        stream of dead letters
    Q:pictures    hash: reference to a picture of the blob store -> how many of these messages have it
    Q:counts      hash of counters

A message in a stream has the fields id, person, revision, final, attempts, at, reason, message. One that another
program added needs only ``message``; what it has of the others is not believed unless it is all there.
"""

from __future__ import annotations

LANES = 4

_COMMON = """
local q = KEYS[1]
local function fields(entry)
  local found = {}
  for i = 1, #entry, 2 do found[entry[i]] = entry[i + 1] end
  return found
end
local function count(name, by) redis.call('HINCRBY', q .. ':counts', name, by) end
local function lane_key(lane) return q .. ':lane:' .. lane end
local function rival(person)
  local text = redis.call('HGET', q .. ':updates', person)
  if not text then return nil end
  local revision, final, id = string.match(text, '^(%d+) (%d) (.*)$')
  return {revision = tonumber(revision), final = final == '1', id = id}
end
-- It no longer waits: nobody may supersede or shed it.
local function taken(id, person)
  redis.call('ZREM', q .. ':droppable', id)
  local mine = rival(person)
  if mine and mine.id == id then redis.call('HDEL', q .. ':updates', person) end
end
local function stream_fields(key, entry)
  local found = redis.call('XRANGE', key, entry, entry)
  return found[1] and fields(found[1][2])
end
local function entry_fields(lane, entry) return stream_fields(lane_key(lane), entry) end
-- A number of so many digits at most: what is longer is written in another way than it was read.
local function whole(text, digits) return string.find(text or '', '^%d+$') and #text <= digits end
-- One of ours has all that the scripts calculate with. What is not equal to itself is no number, and cannot be sorted.
local function ours(f)
  local at = tonumber(f.at or '')
  return f.id and f.person and f.message and at and at == at and whole(f.revision, 10) and
    string.find(f.final or '', '^[01]$') and whole(f.attempts, 6)
end
-- A message comes (1) or goes for good (-1); what pictures those had that went.
local left = {}
local function pictures(f, by)
  if not f or not f.message or not string.find(f.message, '"until/', 1, true) then return end
  for name in string.gmatch(f.message, '"(until/[%w/._-]+)"') do
    if redis.call('HINCRBY', q .. ':pictures', name, by) < 1 then redis.call('HDEL', q .. ':pictures', name) end
    if by < 0 then table.insert(left, name) end
  end
end
-- Where it was, and its fields.
local function remove(id)
  local kind, place = string.match(redis.call('HGET', q .. ':where', id) or '', '^(%S+) (%S+)$')
  local f
  if kind == 'later' then
    f = cmsgpack.unpack(redis.call('HGET', q .. ':held', id))
    redis.call('ZREM', q .. ':later:' .. place, id)
    redis.call('HDEL', q .. ':held', id)
  elseif kind == 'dead' then
    f = stream_fields(q .. ':dead', place)
    redis.call('XDEL', q .. ':dead', place)
  elseif kind then
    f = entry_fields(kind, place)
    redis.call('XACK', lane_key(kind), 'workers', place)
    redis.call('XDEL', lane_key(kind), place)
  end
  pictures(f, -1)
  redis.call('ZREM', q .. ':droppable', id)
  redis.call('HDEL', q .. ':where', id)
  return kind, f
end
local function add(lane, f)
  local entry = redis.call('XADD', lane_key(lane), '*', 'id', f.id, 'person', f.person, 'revision', f.revision,
    'final', f.final, 'attempts', f.attempts, 'at', f.at, 'reason', f.reason or '', 'message', f.message)
  redis.call('HSET', q .. ':where', f.id, lane .. ' ' .. entry)
end
local function waits(lane, f)
  if tostring(lane) ~= '2' then return end
  redis.call('HSET', q .. ':updates', f.person, f.revision .. ' ' .. f.final .. ' ' .. f.id)
  if f.final == '0' then redis.call('ZADD', q .. ':droppable', f.at, f.id) end
end
local function depth()
  local n = 0
  for lane = 0, 3 do
    n = n + redis.call('XLEN', lane_key(lane)) + redis.call('ZCARD', q .. ':later:' .. lane)
  end
  return n
end
local function bury(id, message, reason, attempts, now)
  local entry = redis.call('XADD', q .. ':dead', '*', 'id', id, 'reason', reason, 'attempts', attempts, 'at', now,
    'message', message)
  redis.call('HSET', q .. ':where', id, 'dead ' .. entry)
end
-- Ours still: the same consumer, the same delivery. Else somebody else has taken it over.
local function held(lane, entry, consumer, deliveries)
  local p = redis.call('XPENDING', lane_key(lane), 'workers', entry, entry, 1)
  return p[1] and p[1][2] == consumer and tonumber(p[1][4]) == tonumber(deliveries)
end
"""

PUT = _COMMON + """
-- ARGV: depth, now, then per event: id, person, lane, revision, final, message
local limit, now, results = tonumber(ARGV[1]), ARGV[2], {}
local size, accepted = depth(), 0
for i = 3, #ARGV, 6 do
  local f = {id = ARGV[i], person = ARGV[i + 1], revision = ARGV[i + 3], final = ARGV[i + 4], attempts = '0', at = now,
             message = ARGV[i + 5]}
  local lane, result = ARGV[i + 2], 'accepted'
  local update = lane == '2' and f.final == '0'
  local mine = rival(f.person)
  if redis.call('HEXISTS', q .. ':where', f.id) == 1 then
    result = 'duplicate'
  elseif update and mine and mine.revision > tonumber(f.revision) then
    result = 'superseded'
    count('accepted', 1)
    count('superseded', 1)
  else
    if mine and not mine.final and mine.revision < tonumber(f.revision) then
      remove(mine.id)
      redis.call('HDEL', q .. ':updates', f.person)
      count('superseded', 1)
      size = size - 1
    end
    if size >= limit then
      local victim = redis.call('ZRANGE', q .. ':droppable', 0, 0)[1]
      if not victim and update then
        result = 'shed'
        count('accepted', 1)
        count('shed', 1)
      elseif not victim or lane == '3' then
        break
      else
        local _, other = remove(victim)
        taken(victim, other.person)
        count('shed', 1)
        size = size - 1
      end
    end
    if result == 'accepted' then
      add(lane, f)
      waits(lane, f)
      pictures(f, 1)
      accepted = accepted + 1
      size = size + 1
    end
  end
  table.insert(results, result)
end
if accepted > 0 then count('accepted', accepted) end
return {results, left}
"""

CLAIM = _COMMON + """
-- ARGV: count, consumer, now, lease in ms, attempts, 1 to look for leases that ran out
local most, consumer, now, lease = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local attempts, sweep, out = tonumber(ARGV[5]), ARGV[6] == '1', {}
for lane = 0, 3 do
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', q .. ':later:' .. lane, '-inf', now, 'LIMIT', 0, 1000)) do
    local f = cmsgpack.unpack(redis.call('HGET', q .. ':held', id))
    redis.call('ZREM', q .. ':later:' .. lane, id)
    redis.call('HDEL', q .. ':held', id)
    add(lane, f)
  end
end
local function take(lane, entry, deliveries)
  local f = fields(entry[2])
  local why
  if not ours(f) then  -- somebody else's; from now on it is one of ours
    if not f.message then
      f.message, why = cjson.encode(f), 'not a message: an entry without the field message'
    end
    f = {id = 'raw-' .. lane .. '-' .. entry[1], attempts = '0', message = f.message}
    redis.call('HSET', q .. ':where', f.id, lane .. ' ' .. entry[1])
    if deliveries == 1 then
      count('accepted', 1)
      pictures(f, 1)
    end
  elseif deliveries == 1 and lane == 2 then
    taken(f.id, f.person)
  end
  local attempt = tonumber(f.attempts) + deliveries
  if not why and attempt > attempts then
    local before = (f.reason or '') ~= '' and ('; before that: ' .. f.reason) or ''
    attempt = attempt - 1
    why = 'claimed ' .. attempt .. ' times and never finished: its workers crashed, or were too slow for its lease' ..
      before
  end
  if why then
    redis.call('XACK', lane_key(lane), 'workers', entry[1])
    redis.call('XDEL', lane_key(lane), entry[1])
    bury(f.id, f.message, why, attempt, ARGV[3])
  else
    table.insert(out, {lane, entry[1], deliveries, attempt, f.id, f.message})
  end
end
for lane = 0, 3 do
  if sweep and #out < most then
    -- Deliveries are counted by XAUTOCLAIM itself; entries that were deleted meanwhile are skipped by it.
    for _, entry in ipairs(redis.call('XAUTOCLAIM', lane_key(lane), 'workers', consumer, lease, '0-0', 'COUNT',
                                      most - #out)[2]) do
      local p = redis.call('XPENDING', lane_key(lane), 'workers', entry[1], entry[1], 1)
      take(lane, entry, tonumber(p[1][4]))
    end
  end
  while #out < most do
    local got = redis.call('XREADGROUP', 'GROUP', 'workers', consumer, 'COUNT', most - #out, 'STREAMS', lane_key(lane),
      '>')
    if not got then break end
    for _, entry in ipairs(got[1][2]) do take(lane, entry, 1) end
  end
end
return out
"""

SETTLE = _COMMON + """
-- ARGV: what to do (ack, fail, bury, release, extend), consumer, now, attempts, reason, then per lease: lane, entry,
-- deliveries, id, person, seconds to wait
local act, consumer, now, attempts, reason = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[5]
local out, acked = {}, 0
for i = 6, #ARGV, 6 do
  local lane, entry, deliveries, id, person, wait = unpack(ARGV, i, i + 5)
  local f = held(lane, entry, consumer, deliveries)
  if f and act ~= 'extend' then f = entry_fields(lane, entry) or (act == 'ack' and {}) end
  if not f then
    table.insert(out, 0)
  else
    table.insert(out, 1)
    if act == 'extend' then
      redis.call('XCLAIM', lane_key(lane), 'workers', consumer, 0, entry, 'JUSTID')
    else
      redis.call('XACK', lane_key(lane), 'workers', entry)
      redis.call('XDEL', lane_key(lane), entry)
      if act == 'ack' then
        pictures(f, -1)
        redis.call('HDEL', q .. ':where', id)
        acked = acked + 1
      else
        if not ours(f) then
          f = {person = person, revision = '1', final = '1', attempts = '0', at = now, message = f.message}
        end
        f.id = id
        local attempt = tonumber(f.attempts) + tonumber(deliveries)
        if act == 'bury' or (act == 'fail' and attempt >= attempts) then
          bury(id, f.message, reason, attempt, now)
        else
          if act == 'release' then attempt = attempt - 1 else f.reason = reason end
          f.attempts = tostring(attempt)
          redis.call('HSET', q .. ':held', id, cmsgpack.pack(f))
          redis.call('ZADD', q .. ':later:' .. lane, act == 'release' and 0 or now + wait, id)
          redis.call('HSET', q .. ':where', id, 'later ' .. lane)
          -- A newer update may have come meanwhile: the newest is what others are compared with.
          local mine = rival(f.person)
          if not mine or mine.revision < tonumber(f.revision) then waits(lane, f)
          elseif lane == '2' and f.final == '0' then redis.call('ZADD', q .. ':droppable', f.at, id) end
        end
      end
    end
  end
end
if acked > 0 then count('acked', acked) end
return out
"""

REPLAY = _COMMON + """
-- ARGV: now, then per dead letter: its entry, id, person, lane, revision, final
local now, n = ARGV[1], 0
for i = 2, #ARGV, 6 do
  local found = redis.call('XRANGE', q .. ':dead', ARGV[i], ARGV[i])
  if found[1] and redis.call('XDEL', q .. ':dead', ARGV[i]) == 1 then
    local f = {id = ARGV[i + 1], person = ARGV[i + 2], revision = ARGV[i + 4], final = ARGV[i + 5], attempts = '0',
               at = now, message = fields(found[1][2]).message}
    add(ARGV[i + 3], f)
    local mine = rival(f.person)
    if not mine or mine.revision < tonumber(f.revision) then waits(ARGV[i + 3], f)
    elseif ARGV[i + 3] == '2' and f.final == '0' then redis.call('ZADD', q .. ':droppable', now, f.id) end
    n = n + 1
  end
end
return n
"""

ERASE = _COMMON + """
-- ARGV: per event its id, its person, and ``lane entry`` where another program added it
local n = 0
for i = 1, #ARGV, 3 do
  local id, lane, entry = ARGV[i], string.match(ARGV[i + 2], '^(%S+) (%S+)$')
  local f = lane and redis.call('HEXISTS', q .. ':where', id) == 0 and entry_fields(lane, entry)
  if f then  -- nobody has claimed it yet
    redis.call('HSET', q .. ':where', id, ARGV[i + 2])
    count('accepted', 1)
    pictures(f, 1)
  end
  if remove(id) then
    n = n + 1
    redis.call('HDEL', q .. ':updates', ARGV[i + 1])
  end
end
count('erased', n)
return n
"""

DROP = _COMMON + """
-- ARGV: pairs of a dead letter's entry and event id
local n = 0
for i = 1, #ARGV, 2 do
  local f = stream_fields(q .. ':dead', ARGV[i])
  if f then  -- else it was replayed meanwhile
    redis.call('XDEL', q .. ':dead', ARGV[i])
    pictures(f, -1)
    redis.call('HDEL', q .. ':where', ARGV[i + 1])
    n = n + 1
  end
end
count('erased', n)
return n
"""
