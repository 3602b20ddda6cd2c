import { createRequire } from 'node:module';

export const load = (name) => ({ required: createRequire(import.meta.url)(name) });
