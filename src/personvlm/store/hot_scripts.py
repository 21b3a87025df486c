"""What the copy of latest descriptions does in one step each: Lua, run by Redis.

Keys of a camera, in this order: ``times`` (sorted set of members ``number:person`` by the time when they were last
seen), ``said`` (hash of the same members: ``revision described_at everything``), ``whole`` (``all``: the camera has
nobody else; ``part``: it has older people; missing: the store has to be asked), ``turn`` (counts changes). And one of
all cameras, ``gone``: people who must not be put back, by the time until when.
"""

from __future__ import annotations

PREFIX = "personvlm:hot:1:"
GONE = "personvlm:hot:1:gone"
NAMES = ("PUT", "FILL", "READ", "DROP")

_COMMON = """
local times, said, whole, turn, gone = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local function changed(seconds)
  redis.call('INCR', turn)
  for _, key in ipairs({times, said, turn}) do redis.call('EXPIRE', key, seconds) end
end
local function hold(at)  -- ARGV[at] is the first of six of a person
  redis.call('ZADD', times, ARGV[at + 2], ARGV[at + 1])
  redis.call('HSET', said, ARGV[at + 1], ARGV[at + 3] .. ' ' .. ARGV[at + 4] .. ' ' .. ARGV[at + 5])
end
"""

PUT = _COMMON + """
-- ARGV: people to keep, seconds, now, then per person: id, member, last seen, revision, described at, everything
local keep, seconds = tonumber(ARGV[1]), ARGV[2]
redis.call('ZREMRANGEBYSCORE', gone, '-inf', ARGV[3])
for i = 4, #ARGV, 6 do
  if redis.call('ZSCORE', gone, ARGV[i]) then
    redis.call('DEL', whole)  -- it may be right; the store knows
  else
    local revision, described = string.match(redis.call('HGET', said, ARGV[i + 1]) or '', '^(%S+) (%S+) ')
    revision, described = tonumber(revision or 0), tonumber(described or 0)
    local new = tonumber(ARGV[i + 3])
    if new > revision or (new == revision and tonumber(ARGV[i + 4]) >= described) then hold(i) end
  end
end
local old = redis.call('ZRANGE', times, 0, -keep - 1)
if #old > 0 then
  redis.call('ZREM', times, unpack(old))
  redis.call('HDEL', said, unpack(old))
  if redis.call('GET', whole) == 'all' then redis.call('SET', whole, 'part', 'KEEPTTL') end
end
changed(seconds)
"""

FILL = _COMMON + """
-- ARGV: seconds, now, turn, seconds for which it is whole, all or part, then per person as above
if (redis.call('GET', turn) or '0') ~= ARGV[3] then return 0 end
redis.call('ZREMRANGEBYSCORE', gone, '-inf', ARGV[2])
redis.call('DEL', times, said)
local every = true
for i = 6, #ARGV, 6 do
  if redis.call('ZSCORE', gone, ARGV[i]) then every = false else hold(i) end
end
changed(ARGV[1])
if every then redis.call('SET', whole, ARGV[5], 'EX', ARGV[4]) else redis.call('DEL', whole) end
return 1
"""

READ = _COMMON + """
-- ARGV: people
local is = redis.call('GET', whole)
if not is then return nil end
local found = redis.call('ZREVRANGE', times, 0, ARGV[1])
if #found <= tonumber(ARGV[1]) and is ~= 'all' then return nil end
if #found == 0 then return {} end
return redis.call('HMGET', said, unpack(found))
"""

DROP = _COMMON + """
-- ARGV: members
redis.call('DEL', whole)
redis.call('HDEL', said, unpack(ARGV))
redis.call('INCR', turn)
return redis.call('ZREM', times, unpack(ARGV))
"""
