// The page that leads to the gate's host: tells first what only a script sees
// of the device, since its cookie belongs to this host.
import { tellDevice } from "./device.js";

const lead = document.querySelector("[data-lead]");
const go = () => location.replace(lead.dataset.to);
setTimeout(go, 1500);
tellDevice(lead.dataset.device).then(go, go);
