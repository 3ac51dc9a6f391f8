/** What `--machine` can be: the boards' names, without loading the boards. */
export const machineNames: readonly string[] = ['malta', 'dma-test']
