/* SPDX-License-Identifier: Apache-2.0 */
int good_one(void)
{
    return 1;
}
int lonely(void)
{
    return 2;
}
static int hidden(void)
{
    return 3;
}
int strange(void)
{
    return hidden();
}
