export { VirtualClock, type VirtualClockOptions } from './virtual-clock.js';
export { type Behaviour } from './behaviour.js';
export {
  ScriptedConnection,
  ScriptedFactory,
  type ScriptedFactoryOptions,
  type ScriptedHook,
} from './scripted-factory.js';
