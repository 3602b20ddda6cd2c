import { Injectable, NotFoundException } from '@nestjs/common';
import { ConnectionError, InjectPool, Retryable, type ConnectionOf, type PoolOf } from 'nestjs-connection-pool';
import { MailboxFactory } from './mailbox.factory.js';

type Client = ConnectionOf<typeof MailboxFactory>;

@Injectable()
export class MailboxService {
  constructor(@InjectPool(MailboxFactory) private readonly pool: PoolOf<typeof MailboxFactory>) {}

  /** How many messages are unread in each mailbox; as many are asked for at once as there are connections. */
  async unread(): Promise<Record<string, number>> {
    const names = await this.names();
    const counts = await Promise.all(names.map((name) => this.unreadIn(name)));
    return Object.fromEntries(names.map((name, index) => [name, counts[index] ?? 0]));
  }

  /** The subjects of what is unread. */
  @Retryable()
  subjects(mailbox: string): Promise<string[]> {
    return this.pool.use(async (client) => {
      const lock = await open(client, mailbox, { readOnly: true });
      try {
        const unread = answered(client, await client.search({ seen: false }));
        const messages = unread.length === 0 ? [] : await client.fetchAll(unread, { envelope: true });
        return messages.map(({ envelope }) => envelope?.subject ?? '');
      } finally {
        lock.release();
      }
    });
  }

  /** Marks everything as read, which may be done twice. */
  @Retryable()
  async read(mailbox: string): Promise<void> {
    await this.pool.use(async (client) => {
      const lock = await open(client, mailbox);
      try {
        const unread = answered(client, await client.search({ seen: false }));
        if (unread.length > 0) answered(client, await client.messageFlagsAdd(unread, ['\\Seen']));
      } finally {
        lock.release();
      }
    });
  }

  @Retryable()
  names(): Promise<string[]> {
    return this.pool.use(async (client) => {
      const mailboxes = await client.list();
      return mailboxes.map(({ path }) => path);
    });
  }

  /** A mailbox need not be opened for that. */
  @Retryable()
  unreadIn(mailbox: string): Promise<number | undefined> {
    return this.pool.use(async (client) => {
      const { unseen } = answered(client, await client.status(mailbox, { unseen: true }));
      return unseen;
    });
  }
}

/** Two tasks on one connection would otherwise open their mailboxes under each other's hands. */
async function open(client: Client, path: string, options?: { readOnly: boolean }): Promise<{ release: () => void }> {
  try {
    return await client.getMailboxLock(path, options);
  } catch (error) {
    const { mailboxMissing } = error as { readonly mailboxMissing?: boolean };
    throw mailboxMissing === true ? new NotFoundException(`There is no mailbox ${path}`) : error;
  }
}

/** imapflow says false where the server refuses, and as well where the connection is lost. */
function answered<T>(client: Client, answer: T | false | undefined): T {
  if (answer !== false && answer !== undefined) return answer;
  throw client.usable ? new Error('The server refuses') : new ConnectionError('The connection was lost');
}
