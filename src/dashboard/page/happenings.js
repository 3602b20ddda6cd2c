/** What happened, newest first. Whatever a pool or an error says is shown as text, and as nothing else. */

/** How each kind looks: its sign, and whether it is good or bad news. */
const KINDS = {
  lost: { sign: '✕', mood: 'bad' },
  replaced: { sign: '↻', mood: 'good' },
  renewed: { sign: '↻', mood: 'good' },
  closed: { sign: '−', mood: 'good' },
  down: { sign: '↓', mood: 'bad' },
  back: { sign: '↑', mood: 'good' },
  'failed connect': { sign: '!', mood: 'bad' },
  'time-out': { sign: '⏱', mood: 'bad' },
  retry: { sign: '⟳', mood: '' },
  'give-up': { sign: '✕', mood: 'bad' },
  leak: { sign: '!', mood: '' },
};

const KEPT = 200;

const CLOCK = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });

/** What is said aloud to those who use a screen reader; all of it would be too much. */
const NEWS = new Set(['down', 'back', 'time-out', 'leak']);

export class Happenings {
  constructor(list, calm, news) {
    this.list = list;
    this.calm = calm;
    this.news = news;
    this.reset();
  }

  reset() {
    this.list.replaceChildren();
    this.calm.hidden = false;
    this.pending = [];
    this.last = 0;
  }

  /** Takes in what is not known yet, and says which that is. */
  add(happenings) {
    // What happened just before the page was opened is told twice.
    const fresh = happenings.filter(({ id }) => id > this.last);
    this.last = fresh.at(-1)?.id ?? this.last;
    this.pending.push(...fresh);
    if (this.pending.length > KEPT) this.pending.splice(0, this.pending.length - KEPT);
    return fresh;
  }

  draw() {
    if (this.pending.length === 0) return;
    this.calm.hidden = true;
    // Who reads further down must not have it pulled away.
    const { scrollTop, scrollHeight } = this.list;
    for (const happening of this.pending) this.list.prepend(itemOf(happening));
    const news = this.pending.findLast(({ kind }) => NEWS.has(kind));
    if (news !== undefined) this.news.textContent = `${news.subject}: ${news.text}`;
    this.pending = [];
    while (this.list.children.length > KEPT) this.list.lastElementChild.remove();
    if (scrollTop > 0) this.list.scrollTop = scrollTop + this.list.scrollHeight - scrollHeight;
  }
}

function itemOf({ at, kind, subject, text, stack }) {
  const { sign, mood } = KINDS[kind] ?? { sign: '·', mood: '' };
  const item = element('li', `new ${mood}`);
  const mark = element('span', 'mark', sign);
  mark.setAttribute('aria-hidden', 'true');
  const when = element('p', 'when');
  when.append(element('strong', '', kind), element('span', '', subject), element('time', '', CLOCK.format(at)));
  item.append(mark, when, element('p', 'what', text));
  if (stack !== undefined) {
    const details = element('details');
    const calls = element('pre', '', stack);
    calls.tabIndex = 0;
    details.append(element('summary', '', 'where it was taken'), calls);
    item.append(details);
  }
  return item;
}

function element(name, className = '', text = '') {
  const made = document.createElement(name);
  if (className !== '') made.className = className;
  made.textContent = text;
  return made;
}
