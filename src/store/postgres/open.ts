import { StoreError } from '../store.ts';

/** Why a database cannot be used, in one sentence without its password. */
export function refusal(error: unknown, url: string): StoreError {
  if (error instanceof StoreError) return error;
  const { code = '', message = String(error) } = error as { code?: string; message?: string };
  return new StoreError('refused', sentence(code, message, whereOf(url)), { cause: error });
}

function sentence(code: string, message: string, where: string): string {
  switch (code) {
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `there is no ${where}: its name is not known to this network`;
    case '28P01':
    case '28000':
      return `${where} does not accept this user or password (${message})`;
    case '3D000':
      return `${where} has no such database (${message}): create it with createdb`;
    case '42501':
      return `this user may not do what is needed at ${where} (${message}): let it own the database, or create tables in its schema`;
    case '42P07':
    case '42P01':
    case '42703':
      return `the database at ${where} holds tables of another program (${message}): use one of its own`;
    case '25006':
      return `${where} can only be read (${message}): use the address of the primary`;
    case '53300':
    case '57P03':
      return `${where} takes no connection now (${message})`;
    default:
      return code.startsWith('E') || code === ''
        ? `${where} does not answer (${message === '' ? code : message}): is PostgreSQL running there?`
        : `${where} cannot be used: ${message} (${code})`;
  }
}

/** The machine and its port: whatever else is in the URL may be secret. */
export function whereOf(url: string): string {
  if (!URL.canParse(url)) return 'the PostgreSQL of the URL';
  const { hostname, port, searchParams } = new URL(url);
  const host = searchParams.get('host') ?? (hostname === '' ? 'localhost' : hostname);
  return `PostgreSQL at ${host}${port === '' ? '' : `:${port}`}`;
}
