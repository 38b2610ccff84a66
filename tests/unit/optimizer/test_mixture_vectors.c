/* The joint Parzen estimator's densities against Optuna's own figures. */
#include "mixture_bed.h"

/* What Optuna says, one row a case. */
struct vector {
    const char *space;
    bool common_width;
    uint32_t n_obs, n;
    double obs[6], widths[3], at[10], density[5];
};

static const struct vector vectors[] = {
    {FLOAT,
     false,
     3,
     5,
     {2, 9, 4},
     {2, 5, 5},
     {0, 1, 4.2, 5, 9.99},
     {-2.433582177841, -2.195404259109, -2.197323532427, -2.292664541296, -2.610781800505}},
    {FLOAT,
     true,
     3,
     5,
     {2, 9, 4},
     {2, 2, 2},
     {0, 1, 4.2, 5, 9.99},
     {-2.720299228658, -2.375523168754, -2.178393895970, -2.301142294332, -2.437292534407}},
    {FLOAT, false, 1, 0, {2}, {8}, {0}, {0}},
    {LOG,
     false,
     3,
     3,
     {.01, .1, .05},
     {1.609438, 1.381551, 1.609438},
     {.002, .05, .9},
     {-2.456950157818, -1.561795136689, -2.671573676605}},
    {STEP,
     false,
     3,
     4,
     {2, 9, 4},
     {2.4, 5, 5},
     {0, 2, 4, 10},
     {-1.861061667876, -1.588101290604, -1.616244683413, -2.061588819597}},
    {INT,
     false,
     3,
     4,
     {1, 9, 4},
     {0},
     {1, 2, 4, 10},
     {-1.288001777387, -1.837125864177, -2.336664057212, -3.218172368439}},
    {THREE,
     false,
     3,
     3,
     {0, 2, 2},
     {0},
     {0, 1, 2},
     {-1.098612288668, -1.658228076604, -0.741937344729}},
    {FLOAT "," THREE,
     false,
     3,
     2,
     {2, 0, 9, 2, 4, 2},
     {2, 5, 5},
     {1, 4.2, 0, 2},
     {-2.988311819487, -2.976502099559}},
};

static void densities_are_optunas(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(vectors); i++) {
        const struct vector *v = &vectors[i];
        struct bed b;
        open_bed(&b, v->space);
        b.shape.common_width = v->common_width;
        observe(&b, v->n_obs, v->obs);
        if (v->widths[0] > 0)
            assert_widths(&b, v->n_obs, v->widths);
        assert_density(&b, v->n, v->at, v->density, 1e-11);
        close_bed(&b);
    }
}

/* Six parameters, and points of them that a program in any language can make. */
static const struct {
    char letter;
    const char *space;
} kinds[] = {
    {'f', "\"f\":{\"float\":[-5,10]}"},
    {'l', "\"l\":{\"float\":[1e-4,1],\"log\":true}"},
    {'i', "\"i\":{\"int\":[3,40]}"},
    {'g', "\"g\":{\"int\":[1,500],\"log\":true}"},
    {'s', "\"s\":{\"float\":[0,2],\"step\":0.25}"},
    {'c', "\"c\":{\"choice\":[\"a\",\"b\",\"c\",\"d\"]}"},
};

static double part(uint32_t k, uint32_t d)
{
    return ((k * 7919 + d * 104729 + k * k * 31) % 1000) / 1000.0;
}

static double made(char letter, uint32_t k, uint32_t other)
{
    switch (letter) {
    case 'f':
        return -5 + 15 * part(k, 0 + other);
    case 'l':
        return 1e-4 * (1 + 9999 * part(k, 1 + other));
    case 'i':
        return 3 + floor(38 * part(k, 2 + other));
    case 'g':
        return 1 + floor(500 * part(k, 3 + other));
    case 's':
        return 0.25 * floor(9 * part(k, 4 + other));
    default:
        return floor(4 * part(k, 5 + other));
    }
}

static void open_made(struct bed *b, const char *letters)
{
    char space[1024] = "";
    for (const char *c = letters; *c; c++)
        for (size_t i = 0; i < COUNT(kinds); i++)
            if (kinds[i].letter == *c)
                snprintf(space + strlen(space), sizeof space - strlen(space), "%s%s",
                         c > letters ? "," : "", kinds[i].space);
    open_bed(b, space);
}

/* _ParzenEstimator.log_pdf of Optuna (git 1d8ce7b; v4.9.0 where the width is common) after n
 * observations, at four points. Optuna's sort is not stable; for these figures it was made so. */
static const struct {
    const char *letters;
    uint32_t n;
    bool common_width, endpoints, magic_clip;
    double prior_weight, density[4];
} pdfs[] = {
    {"fligsc",
     0,
     false,
     false,
     true,
     1,
     {-19.770476775566, -19.650639272568, -19.676181860540, -19.830200537406}},
    {"fligsc",
     1,
     false,
     false,
     true,
     1,
     {-19.916923089374, -19.777927886137, -19.802369260857, -19.965209854975}},
    {"fligsc",
     2,
     false,
     false,
     true,
     1,
     {-20.702068705076, -20.560464553304, -20.575380205157, -20.577692488517}},
    {"fligsc",
     25,
     false,
     false,
     true,
     1,
     {-13.933274944600, -12.651416918796, -13.956277952257, -13.904367769814}},
    {"fligsc",
     26,
     false,
     false,
     true,
     1,
     {-13.823443953991, -10.513000745693, -13.263252498835, -13.879700454850}},
    {"fligsc",
     60,
     false,
     false,
     true,
     1,
     {-10.562612580925, -8.150184384270, -8.500174696262, -8.359820376930}},
    {"fligsc",
     400,
     false,
     false,
     true,
     1,
     {-6.167283059274, -5.570115515161, -9.451988560737, -6.049436871524}},
    {"fligsc",
     60,
     false,
     true,
     true,
     1,
     {-10.562612580925, -8.150184383219, -8.500174696260, -8.359820376930}},
    {"fligsc",
     60,
     false,
     false,
     false,
     1,
     {-10.282144585481, -6.750588120237, -6.225341362989, -8.521891970335}},
    {"fligsc",
     60,
     false,
     false,
     true,
     2.5,
     {-10.660603461986, -8.244448689719, -8.567772150757, -8.457886582361}},
    {"f",
     60,
     false,
     false,
     true,
     1,
     {-3.635132629520, -2.523815198876, -2.437746809883, -2.605513721916}},
    {"l",
     60,
     false,
     false,
     true,
     1,
     {-2.872680206547, -2.534261473533, -2.141208197157, -1.590417793260}},
    {"i",
     60,
     false,
     false,
     true,
     1,
     {-4.294543855775, -3.711191247318, -3.711191247318, -3.539652992620}},
    {"g",
     60,
     false,
     false,
     true,
     1,
     {-6.154854790523, -6.235066972220, -6.226267456653, -6.073148436007}},
    {"s",
     60,
     false,
     false,
     true,
     1,
     {-2.348396738953, -2.348396738953, -2.348396738953, -1.941767397707}},
    {"c",
     60,
     false,
     false,
     true,
     1,
     {-1.285558339451, -1.418609460495, -1.285558339451, -1.285558339451}},
    {"fligsc",
     0,
     true,
     false,
     true,
     1,
     {-19.770476775566, -19.650639272568, -19.676181860540, -19.830200537406}},
    {"fligsc",
     1,
     true,
     false,
     true,
     1,
     {-20.107655125512, -19.918856140675, -19.945209144085, -20.026914701125}},
    {"fligsc",
     2,
     true,
     false,
     true,
     1,
     {-20.779924681970, -20.634284702190, -20.657527931263, -20.738631023086}},
    {"fligsc",
     25,
     true,
     false,
     true,
     1,
     {-15.506380099186, -15.673498066219, -15.718950946650, -15.205477934531}},
    {"fligsc",
     26,
     true,
     false,
     true,
     1,
     {-15.478749493824, -15.173141714331, -15.683895728609, -15.185124729184}},
    {"fligsc",
     60,
     true,
     false,
     true,
     1,
     {-14.368423992621, -15.325813198883, -14.748592224267, -13.986301270844}},
    {"fligsc",
     400,
     true,
     false,
     true,
     1,
     {-14.053775395326, -14.539181057952, -14.561306431404, -13.571464932374}},
    {"fligsc",
     60,
     true,
     true,
     true,
     1,
     {-14.368423992621, -15.325813198883, -14.748592224267, -13.986301270844}},
    {"fligsc",
     60,
     true,
     false,
     false,
     1,
     {-14.368423992621, -15.325813198883, -14.748592224267, -13.986301270844}},
    {"fligsc",
     60,
     true,
     false,
     true,
     2.5,
     {-14.461127480537, -15.386878904173, -14.834617382138, -14.082815779490}},
    {"f",
     60,
     true,
     false,
     true,
     1,
     {-2.635018502503, -2.704963055046, -2.689338584287, -2.588964456128}},
    {"l",
     60,
     true,
     false,
     true,
     1,
     {-1.670676217209, -2.244752526024, -2.071280297172, -1.419192896168}},
    {"i",
     60,
     true,
     false,
     true,
     1,
     {-3.425578849084, -3.554876990551, -3.554876990551, -3.379638265727}},
    {"g",
     60,
     true,
     false,
     true,
     1,
     {-6.188943034075, -6.122404101079, -6.137728154930, -6.240781380277}},
    {"s",
     60,
     true,
     false,
     true,
     1,
     {-2.216184567253, -2.216184567253, -2.216184567253, -2.091428177827}},
    {"c",
     60,
     true,
     false,
     true,
     1,
     {-1.285558339451, -1.418609460495, -1.285558339451, -1.285558339451}},
};

static void densities_of_more_are_optunas(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(pdfs); i++) {
        struct bed b;
        double values[MOST * 4], point[MOST];
        open_made(&b, pdfs[i].letters);
        b.shape.common_width = pdfs[i].common_width;
        b.shape.endpoints = pdfs[i].endpoints;
        b.shape.magic_clip = pdfs[i].magic_clip;
        b.shape.prior_weight = pdfs[i].prior_weight;
        for (uint32_t d = 0; d < b.shape.n_dims; d++)
            b.dims[d].prior.weight = pdfs[i].prior_weight;
        for (uint32_t k = 0; k < pdfs[i].n; k++) {
            for (uint32_t d = 0; d < b.shape.n_dims; d++)
                point[d] = made(pdfs[i].letters[d], k, 0);
            insert(&b, k, point);
        }
        mixture_settle(&b.mixture, &b.shape);
        for (uint32_t d = 0; d < b.shape.n_dims; d++)
            for (uint32_t k = 0; k < 4; k++)
                values[d * 4 + k] = made(pdfs[i].letters[d], k, 17);
        assert_density(&b, 4, values, pdfs[i].density, 1e-10);
        close_bed(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(densities_are_optunas),
        cmocka_unit_test(densities_of_more_are_optunas),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
