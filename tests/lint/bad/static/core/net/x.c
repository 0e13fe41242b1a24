/* SPDX-License-Identifier: Apache-2.0 */
int net_x(void);

int net_x(void)
{
    int row[4] = {0, 1, 2, 3};
    int i;
    for (i = 0; i < 4; i++) {
        row[i]++;
    }
    return row[i];
}
