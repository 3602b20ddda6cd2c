export { VirtualClock, type VirtualClockOptions } from './virtual-clock.js';
export {
  ScriptedConnection,
  ScriptedFactory,
  type Behaviour,
  type ScriptedFactoryOptions,
  type ScriptedHook,
} from './scripted-factory.js';
