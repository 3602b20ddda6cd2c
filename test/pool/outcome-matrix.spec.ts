import { describe, expect, test } from '@jest/globals';
import { expected } from './outcome-model.js';
import { ANSWERS, HOOKS, OUTCOMES, type Cell } from './outcome-plan.js';
import { told } from './outcome-story.js';
import { unhandledDuring } from './rejections.js';

/*
 * Every outcome of every hook with every other: 4⁴ × 3 = 768 stories, of which the plan says how they go, and the model what
 * the contract makes of them.
 */
async function check(cell: Cell): Promise<void> {
  const found = await told(cell);
  // No cell is empty: each hook has been called, and has done what this cell is about.
  for (const hook of HOOKS) expect({ hook, first: found.hooks[hook][0] }).toEqual({ hook, first: cell[hook] });
  expect(found.answers).toContain(cell.usable);
  expect({ cell, ...found }).toEqual({ cell, ...expected(cell) });
}

const HOOK_DOES = OUTCOMES.map((outcome) => {
  const words = { ok: 'is well', fails: 'fails', slow: 'comes after its time', hangs: 'never settles' };
  return [words[outcome], outcome] as const;
});
const IS_USABLE_DOES = ANSWERS.map((answer) => [answer === 'throws' ? answer : `says ${answer}`, answer] as const);

describe.each(HOOK_DOES)('F5: where the first connect %s', (_, connect) => {
  describe.each(IS_USABLE_DOES)('and isUsable at first %s', (_, usable) => {
    test.each(HOOK_DOES)(
      'and the first ping %s, whatever reset and close do, the pool recovers and all is accounted for',
      async (_, keepalive) => {
        const unhandled = await unhandledDuring(async () => {
          for (const reset of OUTCOMES) {
            for (const close of OUTCOMES) await check({ connect, keepalive, reset, close, usable });
          }
        });
        expect(unhandled).toEqual([]);
      },
    );
  });
});
