-- The health of an FTPServer or an FTPUser, as Argo CD asks for it. It follows
-- kstatus, so that Argo CD and Flux wait for the same.
local health = {status = "Progressing", message = "The operator has yet to act on this generation"}

if obj.metadata.deletionTimestamp ~= nil then
  health.message = "Being deleted"
  return health
end
if obj.status == nil or obj.status.observedGeneration ~= obj.metadata.generation then
  return health
end

local conditions = {}
for _, condition in ipairs(obj.status.conditions or {}) do
  conditions[condition.type] = condition
end
local function holds(kind)
  return conditions[kind] ~= nil and conditions[kind].status == "True"
end

if holds("Reconciling") then
  health.message = conditions["Reconciling"].message
elseif holds("Stalled") then
  health.status = "Degraded"
  health.message = conditions["Stalled"].message
elseif holds("Ready") then
  health.status = "Healthy"
  health.message = conditions["Ready"].message
elseif conditions["Ready"] ~= nil then
  health.message = conditions["Ready"].message
end
return health
