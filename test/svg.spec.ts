import { describe, expect, test } from '@jest/globals';
import { scale, svg, text, withCommas } from './svg.js';

describe('An SVG document', () => {
  const document = svg({ width: 20, height: 10, title: 'a < b', description: 'c & d' }, [text(1, 2, '"<e>"', '')]);

  test('holds what is given, and nothing that a browser would take for markup', () => {
    expect(document).toMatch(/^<svg [^>]*viewBox="0 0 20 10"[^]*<\/svg>\n$/);
    expect(document).toContain('<title>a &lt; b</title>');
    expect(document).toContain('<desc>c &amp; d</desc>');
    expect(document).toContain('>&quot;&lt;e>&quot;</text>');
  });

  test('needs nothing from anywhere', () => {
    expect(document).not.toMatch(/<script|<style|href/);
  });
});

describe('A scale', () => {
  test('that is logarithmic has as much room for ten times as much, wherever that is, and none outside', () => {
    const place = scale({ from: 1, to: 1_000 }, 0, 300, 'log');
    expect([0.1, 1, 10, 100, 1_000, 5_000].map(place)).toEqual([0, 0, 100, 200, 300, 300]);
  });

  test('may run upwards, as on paper', () => {
    expect([0, 5, 10].map(scale({ from: 0, to: 10 }, 100, 50))).toEqual([100, 75, 50]);
  });
});

describe('A number', () => {
  test('of thousands is shown as people read it', () => {
    expect([0, 999, 1_000, 12_345, 1_234_567].map(withCommas)).toEqual(['0', '999', '1,000', '12,345', '1,234,567']);
  });
});
