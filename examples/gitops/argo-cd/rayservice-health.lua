-- Argo CD's health of a RayService: is every application served, and is no update under way?
-- It is the value of `resource.customizations.health.ray.io_RayService` in the ConfigMap argocd-cm.
local hs = {status = "Progressing", message = "waiting for KubeRay"}
local status = obj.status
if status == nil or (status.observedGeneration or 0) < (obj.metadata.generation or 0) then
  return hs
end

local conditions = {}
for _, condition in ipairs(status.conditions or {}) do
  conditions[condition.type] = condition
end
local ready, upgrade = conditions["Ready"], conditions["UpgradeInProgress"]

local waiting = nil
for _, cluster in ipairs({"activeServiceStatus", "pendingServiceStatus"}) do
  local applications = (status[cluster] or {}).applicationStatuses or {}
  for name, application in pairs(applications) do
    if application.status == "DEPLOY_FAILED" or application.status == "UNHEALTHY" then
      hs.status = "Degraded"
      hs.message = name .. " is " .. application.status .. ": " .. (application.message or "")
      return hs
    elseif application.status ~= "RUNNING" then
      waiting = name .. " is " .. (application.status or "unknown")
    end
  end
end

if upgrade ~= nil and upgrade.status == "True" then
  hs.message = "a second cluster comes up, and takes over when it is ready"
elseif waiting ~= nil then
  hs.message = waiting
elseif ready ~= nil and ready.status == "True" then
  hs.status = "Healthy"
  hs.message = ready.message or ""
elseif ready ~= nil then
  hs.message = ready.message or "not ready"
end
return hs
