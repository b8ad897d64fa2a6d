export { examineData } from '../store/sqlite/examine.ts';
