/* Plain gradient descent on the squared error as one writes it in C: loops over plain numbers.
   Compiled anew for each work, so that the compiler knows every size:
   -DLAYERS=2 -DWIDEST=2 -DWIDTHS=2,2,2 -DTRANSFERS=SIGMOID,SIGMOID -DROWS=1
   ROWS are the rows of an update. They are the innermost loop everywhere: neighbours in memory. */
#include <math.h>
#include <string.h>

enum { IDENTITY, RELU, FOLD, SIGMOID };
static const int width[] = { WIDTHS }, transfer[] = { TRANSFERS };

typedef double Block[WIDEST][ROWS];                       /* a layer's units, ROWS rows of each */
typedef struct { double W[WIDEST][WIDEST], b[WIDEST]; } Layer;      /* W[i][j]: input i, unit j */

static Layer net[LAYERS];
static Block Z[LAYERS], A[LAYERS + 1], D, delta, dA;

#define EACH(r, n) for (int r = 0; r < (n); r++)
#ifdef __FAST_MATH__    /* tuned: each layer's loops get lengths known when it is compiled */
#define UNROLL _Pragma("GCC unroll 8")
#else
#define UNROLL
#endif

static inline double f(int t, double z)
{
    if (t == RELU) return z > 0 ? z : 0;
    if (t == FOLD) return z > 0 ? z : -0.2*z;
    if (t == SIGMOID) return 1/(1 + exp(-z));
    return z;
}

static inline double slope(int t, double z, double a)
{
    if (t == RELU) return z > 0 ? 1 : 0;
    if (t == FOLD) return z > 0 ? 1 : -0.2;
    if (t == SIGMOID) return a*(1 - a);
    return 1;
}

/* ROWS rows through the network: fills Z, A and D, returns the sum of their losses */
static inline double forward(const double *x, const double *y)
{
    const int n_in = width[0], n_out = width[LAYERS];
    EACH(i, n_in) EACH(r, ROWS) A[0][i][r] = x[r*n_in + i];
    UNROLL EACH(l, LAYERS) EACH(j, width[l+1]) {
        EACH(r, ROWS) Z[l][j][r] = net[l].b[j];
        EACH(i, width[l]) EACH(r, ROWS) Z[l][j][r] += net[l].W[i][j]*A[l][i][r];
        EACH(r, ROWS) A[l+1][j][r] = f(transfer[l], Z[l][j][r]);
    }
    double loss = 0;
    EACH(j, n_out) EACH(r, ROWS) {
        D[j][r] = A[LAYERS][j][r] - y[r*n_out + j];
        loss += D[j][r]*D[j][r]/2;
    }
    return loss;
}

/* The step down the gradient that forward() has prepared, layer by layer from the last */
static inline void step(double lr)
{
    EACH(j, width[LAYERS]) EACH(r, ROWS) dA[j][r] = D[j][r]/ROWS;
    UNROLL for (int l = LAYERS - 1; l >= 0; l--) {
        EACH(j, width[l+1]) EACH(r, ROWS)
            delta[j][r] = dA[j][r]*slope(transfer[l], Z[l][j][r], A[l+1][j][r]);
        if (l) EACH(i, width[l]) {
            EACH(r, ROWS) dA[i][r] = 0;
            EACH(j, width[l+1]) EACH(r, ROWS) dA[i][r] += net[l].W[i][j]*delta[j][r];
        }
        EACH(j, width[l+1]) {
            double db = 0;
            EACH(r, ROWS) db += delta[j][r];
            net[l].b[j] -= lr*db;
            EACH(i, width[l]) {
                double dW = 0;
                EACH(r, ROWS) dW += A[l][i][r]*delta[j][r];
                net[l].W[i][j] -= lr*dW;
            }
        }
    }
}

static void copy(double *number, double **p, int out)
{
    if (out) **p = *number; else *number = **p;
    ++*p;
}

/* Between the network and one vector: layer by layer W row by row, then b */
static void exchange(double *p, int out)
{
    EACH(l, LAYERS) {
        EACH(i, width[l]) EACH(j, width[l+1]) copy(&net[l].W[i][j], &p, out);
        EACH(j, width[l+1]) copy(&net[l].b[j], &p, out);
    }
}

/* params are trained in place; losses: epochs + 1 numbers; rows: a multiple of ROWS.
   With all rows in one update, a step's own forward pass gives the loss. */
void train(double *params, const double *X, const double *Y, int rows, int epochs, double lr,
           double *losses)
{
    const int n_in = width[0], n_out = width[LAYERS];
    exchange(params, 0);
    for (int epoch = 0; epoch <= epochs; epoch++) {
        double total = 0;
        for (int r = 0; r < rows; r += ROWS) total += forward(X + r*n_in, Y + r*n_out);
        losses[epoch] = total/rows;
        if (epoch == epochs) break;
        for (int r = 0; r < rows; r += ROWS) {
            if (rows > ROWS) forward(X + r*n_in, Y + r*n_out);
            step(lr);
        }
    }
    exchange(params, 1);
}
