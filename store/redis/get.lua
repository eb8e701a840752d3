-- Answers the value under a key, or nil.
-- KEYS: values, ends     ARGV: key
local value = redis.call('HGET', KEYS[1], ARGV[1])
if value then
  local fin = redis.call('ZSCORE', KEYS[2], ARGV[1])
  if fin then
    local t = redis.call('TIME')
    if tonumber(fin) <= t[1] * 1000 + math.floor(t[2] / 1000) then
      return false
    end
  end
end
return value
