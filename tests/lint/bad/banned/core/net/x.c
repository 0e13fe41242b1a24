/* SPDX-License-Identifier: Apache-2.0 */
static int counter;
static const int limit = 3;
void net_x(char *to, const char *from)
{
    static int calls;
    strcpy(to, from); /* not sprintf() */
    free(to);
    counter = (int)time(NULL) + calls + limit;
    counter += atoi(from) + rand();
    gets(to);
    longjmp(to, 1);
}
