-- Answers entries in byte order: key, milliseconds left (0: for good), value,
-- and so on; without values where only keys are asked for.
-- KEYS: index, values, ends
-- ARGV: from (in), to (out), greatest number, 1 to walk backwards, 1 for keys only
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local low, high, left = '[' .. ARGV[1], '(' .. ARGV[2], tonumber(ARGV[3])
local backwards, bare = ARGV[4] == '1', ARGV[5] == '1'
local timed = redis.call('EXISTS', KEYS[3]) == 1
local out = {}
while left > 0 do
  local asked, keys = left, nil
  if backwards then
    keys = redis.call('ZREVRANGEBYLEX', KEYS[1], high, low, 'LIMIT', 0, asked)
  else
    keys = redis.call('ZRANGEBYLEX', KEYS[1], low, high, 'LIMIT', 0, asked)
  end
  for _, key in ipairs(keys) do
    local fin = timed and redis.call('ZSCORE', KEYS[3], key)
    local rest = fin and tonumber(fin) - now or 0
    if not fin or rest > 0 then
      out[#out + 1] = key
      out[#out + 1] = string.format('%.0f', rest)
      if not bare then
        out[#out + 1] = redis.call('HGET', KEYS[2], key)
      end
      left = left - 1
    end
  end
  if #keys < asked then
    break
  end
  -- Some had expired: go on behind the last.
  if backwards then high = '(' .. keys[#keys] else low = '(' .. keys[#keys] end
end
return out
