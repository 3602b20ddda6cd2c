/** The client as the service sees it. */
export interface MailClient {
  /** The numbers of the mails that match. */
  search(criteria: { readonly seen: boolean }): Promise<number[]>;
  noop(): Promise<void>;
  logout(): Promise<void>;
}

/** Stands for whatever your client's package offers to connect with. */
export function openMail(_signal: AbortSignal): Promise<MailClient> {
  return Promise.reject(new Error('There is no mail server here'));
}
