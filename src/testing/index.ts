export { VirtualClock, type VirtualClockOptions } from './virtual-clock.js';
export { type Behaviour, type ScriptedHook } from './behaviour.js';
export { ScriptedConnection, ScriptedFactory, type ScriptedFactoryOptions } from './scripted-factory.js';
