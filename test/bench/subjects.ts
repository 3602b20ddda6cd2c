import type { MakeSubject } from './subject.js';

/** Each is loaded in a process of its own alone. */
export const SUBJECTS = {
  floor: async (): Promise<MakeSubject> => (await import('./subjects/floor.js')).makeFloor,
  ours: async (): Promise<MakeSubject> => (await import('./subjects/ours.js')).makeOurs,
  observed: async (): Promise<MakeSubject> => (await import('./subjects/observed.js')).makeObserved,
  'generic-pool': async (): Promise<MakeSubject> => (await import('./subjects/generic-pool.js')).makeGenericPool,
  tarn: async (): Promise<MakeSubject> => (await import('./subjects/tarn.js')).makeTarn,
  'lightning-pool': async (): Promise<MakeSubject> => (await import('./subjects/lightning-pool.js')).makeLightningPool,
  'sequelize-pool': async (): Promise<MakeSubject> => (await import('./subjects/sequelize-pool.js')).makeSequelizePool,
  'pg-pool': async (): Promise<MakeSubject> => (await import('./subjects/pg-pool.js')).makePgPool,
};
export type SubjectName = keyof typeof SUBJECTS;
