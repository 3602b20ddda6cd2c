import { Client, type Dispatcher } from 'undici';
import type { Askable } from './contestants.js';

/** Asks the HTTP server, be it on one connection or on many, and reads the whole reply. */
export async function askHttp(dispatcher: Dispatcher & Pick<Client, 'request'>, number: number): Promise<void> {
  const { statusCode, body } = await dispatcher.request({ method: 'GET', path: `/${number}` });
  const reply = (await body.json()) as { readonly number: number };
  if (statusCode !== 200 || reply.number !== number) throw new Error(`${number} was answered ${JSON.stringify(reply)}`);
}

export function originOf(address: string): string {
  return `http://127.0.0.1:${address}`;
}

/** One connection, which undici opens again by itself if it breaks. */
export class HttpClient extends Client implements Askable {
  isLent = false;
  isDoomed = false;

  /** undici dials at the first request. */
  static async open(address: string): Promise<HttpClient> {
    const client = new HttpClient(originOf(address));
    await client.ask(0);
    return client;
  }

  ask(number: number): Promise<void> {
    return askHttp(this, number);
  }
}
