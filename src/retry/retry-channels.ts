import { channel } from 'node:diagnostics_channel';

/*
 * What can be observed of retries, through node:diagnostics_channel: each carries the RetryEvent of the call. Names and
 * shapes are a promise (docs/channels.md).
 */

/** Another attempt follows. */
export const RETRY = channel('nestjs-connection-pool:retry');

/** There will be no more attempts, although the failure was one to retry. */
export const GIVE_UP = channel('nestjs-connection-pool:give-up');
