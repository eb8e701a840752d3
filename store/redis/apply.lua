-- Carries out one batch of one partition, whole or not at all.
-- KEYS: index, values, ends, events, head, batch   (see keys.go)
-- ARGV: number of checks, greatest length of the event stream, milliseconds
--       that events are kept, milliseconds that the batch is remembered;
--       for each check:  key, '=' or 'absent', value
--       for each write:  key, 'put' or 'delete' ('-quiet' behind it: no
--       event), value, milliseconds to live
-- Answers 1 when done, 0 when a check does not hold.

-- A client that lost the answer sends the batch again.
if redis.call('EXISTS', KEYS[6]) == 1 then
  return 1
end

local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)

local arg = 5
for _ = 1, tonumber(ARGV[1]) do
  local key, kind, wanted = ARGV[arg], ARGV[arg + 1], ARGV[arg + 2]
  arg = arg + 3
  local got = redis.call('HGET', KEYS[2], key)
  if got then
    local fin = redis.call('ZSCORE', KEYS[3], key)
    if fin and tonumber(fin) <= now then
      got = false
    end
  end
  if kind == 'absent' then
    if got then return 0 end
  elseif not got or got ~= wanted then
    return 0
  end
end
if arg > #ARGV then
  return 1
end

-- What has expired goes a little at a time, with the writes that come.
for _, key in ipairs(redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', string.format('%.0f', now), 'LIMIT', 0, 16)) do
  redis.call('HDEL', KEYS[2], key)
  redis.call('ZREM', KEYS[1], key)
  redis.call('ZREM', KEYS[3], key)
end

-- Each event names the one before it, so that a reader sees what it missed.
local last = redis.call('GET', KEYS[5]) or '0-0'
while arg <= #ARGV do
  local key, kind, value, live = ARGV[arg], ARGV[arg + 1], ARGV[arg + 2], tonumber(ARGV[arg + 3])
  arg = arg + 4
  if kind == 'delete' or kind == 'delete-quiet' then
    redis.call('HDEL', KEYS[2], key)
    redis.call('ZREM', KEYS[1], key)
    redis.call('ZREM', KEYS[3], key)
    if kind == 'delete' then
      last = redis.call('XADD', KEYS[4], 'MAXLEN', '~', ARGV[2], '*', 'after', last, 'key', key)
    end
  else
    redis.call('HSET', KEYS[2], key, value)
    redis.call('ZADD', KEYS[1], 0, key)
    if live > 0 then
      redis.call('ZADD', KEYS[3], string.format('%.0f', now + live), key)
    else
      redis.call('ZREM', KEYS[3], key)
    end
    if kind == 'put' then
      last = redis.call('XADD', KEYS[4], 'MAXLEN', '~', ARGV[2], '*', 'after', last, 'key', key, 'value', value)
    end
  end
end
redis.call('SET', KEYS[5], last)
redis.call('XTRIM', KEYS[4], 'MINID', '~', string.format('%.0f', now - tonumber(ARGV[3])))
redis.call('SET', KEYS[6], '1', 'PX', ARGV[4])
return 1
