/**
 * The connections of a pool as cells on a canvas. Each state has its own shape besides its colour. Of a frame only the cells
 * that changed are drawn again.
 */

export const STATES = ['none', 'connecting', 'idle', 'leased', 'checking', 'closing'];

export const STATE_TEXTS = ['no connection', 'connecting', 'idle', 'leased', 'checked (pinged or reset)', 'closing'];

/** Draws one cell of a state, of this size, at this place. */
export function drawCell(context, code, x, y, size, colours) {
  const colour = colours[code];
  const inset = Math.max(1, size / 8);
  context.fillStyle = colour;
  context.strokeStyle = colour;
  context.lineWidth = Math.max(1, size / 9);
  const box = (grow) => {
    context.beginPath();
    context.roundRect(x + grow, y + grow, size - 2 * grow, size - 2 * grow, size / 5);
  };
  switch (STATES[code]) {
    case 'leased':
      box(0);
      context.fill();
      break;
    case 'idle':
      box(context.lineWidth);
      context.lineWidth *= 2;
      context.stroke();
      break;
    case 'checking':
      box(context.lineWidth / 2);
      context.stroke();
      context.beginPath();
      context.moveTo(x + inset * 2, y + size - inset * 2);
      context.lineTo(x + size - inset * 2, y + inset * 2);
      context.lineWidth *= 2;
      context.stroke();
      break;
    case 'connecting':
      context.beginPath();
      context.arc(x + size / 2, y + size / 2, size / 4, 0, 2 * Math.PI);
      context.fill();
      break;
    case 'closing':
      context.lineWidth *= 1.5;
      context.beginPath();
      context.moveTo(x + inset, y + inset);
      context.lineTo(x + size - inset, y + size - inset);
      context.moveTo(x + size - inset, y + inset);
      context.lineTo(x + inset, y + size - inset);
      context.stroke();
      break;
    default:
      box(context.lineWidth / 2);
      context.setLineDash([size / 6, size / 6]);
      context.stroke();
      context.setLineDash([]);
  }
}

/** How large a cell is: the more there are the smaller. */
function sizeFor(count) {
  if (count <= 60) return 18;
  if (count <= 200) return 14;
  return count <= 1_500 ? 10 : 7;
}

export class Cells {
  /**
   * @param element the slider around the canvas, which is how those who do not see it step from cell to cell
   * @param detail where the cell is described that is pointed at
   */
  constructor(element, detail, theme) {
    this.element = element;
    this.canvas = element.querySelector('canvas');
    this.context = this.canvas.getContext('2d');
    this.detail = detail;
    this.theme = theme;
    this.codes = [];
    this.uses = [];
    this.openedAt = [];
    this.dirty = new Set();
    this.redrawAll = true;
    this.now = 0;
    /** The cell that is pointed at, by the mouse or, if that is elsewhere, by the keyboard. */
    this.hovered = undefined;
    this.chosen = undefined;
    this.listen();
  }

  get length() {
    return this.codes.length;
  }

  reset() {
    this.codes = [];
    this.uses = [];
    this.openedAt = [];
    this.redrawAll = true;
  }

  /** Takes in what the server says has changed: for each cell its slot, its state, its uses, and when it was opened. */
  apply(slots, changes, now) {
    this.now = now;
    if (slots !== this.length) {
      this.redrawAll = true;
      for (const list of [this.codes, this.uses, this.openedAt]) {
        const before = list.length;
        list.length = slots;
        if (slots > before) list.fill(0, before);
      }
    }
    for (let at = 0; at < changes.length; at += 4) {
      const slot = changes[at];
      if (slot >= slots) continue;
      if (this.codes[slot] !== changes[at + 1]) this.dirty.add(slot);
      this.codes[slot] = changes[at + 1];
      this.uses[slot] = changes[at + 2];
      this.openedAt[slot] = changes[at + 3];
    }
  }

  /** Draws what has changed. */
  draw() {
    const width = this.element.clientWidth;
    if (width === 0) return;
    const ratio = window.devicePixelRatio || 1;
    const size = sizeFor(this.length);
    const gap = size > 8 ? 3 : 2;
    if (this.redrawAll || width !== this.width || ratio !== this.ratio) {
      Object.assign(this, { width, ratio, size, step: size + gap, redrawAll: false });
      this.columns = Math.max(1, Math.floor((width + gap) / this.step));
      const height = Math.max(1, Math.ceil(this.length / this.columns)) * this.step - gap;
      this.canvas.width = width * ratio;
      this.canvas.height = height * ratio;
      this.canvas.style.width = `${width}px`;
      this.canvas.style.height = `${height}px`;
      this.context.setTransform(ratio, 0, 0, ratio, 0, 0);
      this.sprites = this.makeSprites();
      for (let slot = 0; slot < this.length; slot++) this.drawSlot(slot);
    } else {
      for (const slot of this.dirty) this.drawSlot(slot);
    }
    this.dirty.clear();
    this.describe();
  }

  /** Draws everything, in new colours. */
  repaint() {
    this.redrawAll = true;
    this.draw();
  }

  textOf(slot) {
    const code = this.codes[slot] ?? 0;
    const state = `Cell ${slot + 1}: ${STATE_TEXTS[code]}`;
    if (code < 2) return state;
    const uses = this.uses[slot];
    return `${state}, open for ${ageText(this.ageOf(slot))}, ${uses} ${uses === 1 ? 'lease' : 'leases'}`;
  }

  ageOf(slot) {
    return Math.max(0, this.now - this.openedAt[slot]);
  }

  makeSprites() {
    return STATES.map((_, code) => {
      const sprite = document.createElement('canvas');
      sprite.width = sprite.height = Math.ceil(this.step * this.ratio);
      const context = sprite.getContext('2d');
      context.scale(this.ratio, this.ratio);
      drawCell(context, code, 0, 0, this.size, this.theme.cells);
      return sprite;
    });
  }

  drawSlot(slot) {
    if (slot >= this.length) return;
    const { step, size, columns, context } = this;
    const x = (slot % columns) * step;
    const y = Math.floor(slot / columns) * step;
    const margin = (step - size) / 2;
    context.clearRect(x - margin, y - margin, step, step);
    context.drawImage(this.sprites[this.codes[slot]], x, y, step, step);
    if (slot === this.marked) {
      context.strokeStyle = this.theme.ink;
      context.lineWidth = 1.5;
      context.strokeRect(x - 0.5, y - 0.5, size + 1, size + 1);
    }
  }

  listen() {
    const { element } = this;
    element.addEventListener('pointermove', (event) => {
      const { left, top } = this.canvas.getBoundingClientRect();
      const column = Math.floor((event.clientX - left) / this.step);
      const slot = Math.floor((event.clientY - top) / this.step) * this.columns + column;
      this.hovered = column >= 0 && column < this.columns && slot >= 0 && slot < this.length ? slot : undefined;
      this.describe();
    });
    element.addEventListener('pointerleave', () => {
      this.hovered = undefined;
      this.describe();
    });
    element.addEventListener('focus', () => {
      this.chosen ??= 0;
      this.describe();
    });
    element.addEventListener('blur', () => {
      this.chosen = undefined;
      this.describe();
    });
    element.addEventListener('keydown', (event) => {
      const { columns = 1 } = this;
      const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns };
      const last = this.length - 1;
      const wanted =
        event.key === 'Home' ? 0 : event.key === 'End' ? last : (this.chosen ?? 0) + (steps[event.key] ?? NaN);
      if (Number.isNaN(wanted)) return;
      event.preventDefault();
      this.chosen = Math.max(0, Math.min(last, wanted));
      this.describe();
    });
  }

  /** Says in words what is pointed at, and marks it. */
  describe() {
    const slot = this.hovered ?? this.chosen;
    if (slot !== this.marked) {
      const before = this.marked;
      this.marked = slot;
      if (before !== undefined) this.drawSlot(before);
      if (slot !== undefined) this.drawSlot(slot);
    } else if (slot !== undefined) {
      this.drawSlot(slot);
    }
    setText(this.detail, slot === undefined || slot >= this.length ? '' : this.textOf(slot));
    const { element } = this;
    const now = Math.min(this.chosen ?? 0, Math.max(0, this.length - 1));
    setAttribute(element, 'aria-valuemin', this.length === 0 ? 0 : 1);
    setAttribute(element, 'aria-valuemax', Math.max(this.length, 0));
    setAttribute(element, 'aria-valuenow', this.length === 0 ? 0 : now + 1);
    // Told as it changes only to those who stand on it.
    if (this.chosen !== undefined || !element.hasAttribute('aria-valuetext')) {
      setAttribute(element, 'aria-valuetext', this.length === 0 ? 'no connections' : this.textOf(now));
    }
  }
}

export function ageText(milliseconds) {
  const seconds = Math.floor(milliseconds / 1_000);
  if (seconds < 120) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 120) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h` : `${Math.floor(hours / 24)} days`;
}

export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export function setAttribute(element, name, value) {
  if (element.getAttribute(name) !== String(value)) element.setAttribute(name, value);
}
