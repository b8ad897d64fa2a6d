import { Session } from 'node:inspector';

interface RemoteObject {
  readonly objectId?: string;
  readonly value?: unknown;
}

interface PrivateProperty {
  readonly name: string;
  readonly value?: RemoteObject;
}

const HAND = Symbol.for('manyhands.simulation.hand');
const GROUP = 'simulation';

/**
 * Reads the private fields of objects, which nothing in the language can: the debugger of this process can, and answers
 * at once. So a test can see that all maps of a server are empty, also of those that are written tomorrow.
 */
export class PrivateFields {
  readonly #session = new Session();

  constructor() {
    this.#session.connect();
  }

  close(): void {
    this.#session.disconnect();
  }

  of(object: object): Map<string, unknown> {
    const fields = new Map<string, unknown>();
    const hand = globalThis as unknown as Record<symbol, unknown>;
    hand[HAND] = object;
    const expression = `globalThis[Symbol.for('${String(HAND.description)}')]`;
    const { result } = this.#ask<{ result: RemoteObject }>('Runtime.evaluate', { expression, objectGroup: GROUP });
    const { privateProperties = [] } = this.#ask<{ privateProperties?: PrivateProperty[] }>('Runtime.getProperties', {
      objectId: result.objectId,
      ownProperties: true,
    });
    for (const { name, value } of privateProperties) {
      if (value?.objectId === undefined) {
        fields.set(name, value?.value);
        continue;
      }
      const functionDeclaration = `function () { ${expression} = this; }`;
      this.#ask('Runtime.callFunctionOn', { objectId: value.objectId, functionDeclaration });
      fields.set(name, hand[HAND]);
    }
    hand[HAND] = undefined;
    this.#ask('Runtime.releaseObjectGroup', { objectGroup: GROUP });
    return fields;
  }

  #ask<Answer>(method: string, parameters: object): Answer {
    let answer: { is: Answer } | undefined;
    let failure: Error | null = null;
    this.#session.post(method, parameters, (error: Error | null, value?: object) => {
      failure = error;
      answer = { is: value as Answer };
    });
    if (failure !== null || answer === undefined)
      throw new Error(`the debugger does not answer ${method}`, { cause: failure });
    return answer.is;
  }
}
