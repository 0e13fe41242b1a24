/* SPDX-License-Identifier: Apache-2.0 */
int net_x(int a);

int net_x(int a)
{
    if (a > 1)
        return 1;
    return 0;
}
