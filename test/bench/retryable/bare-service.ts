/** What is called: an async method that does as little as one can. */
export class BareService {
  async read(number: number): Promise<number> {
    return number;
  }
}
