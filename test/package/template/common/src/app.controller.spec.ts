import { Test, TestingModule } from '@nestjs/testing';
import { getPoolToken } from 'nestjs-connection-pool';
import { AppController } from './app.controller.js';
import { AppService } from './app.service.js';
import { EchoConnectionFactory } from './echo.connection-factory.js';

describe('AppController', () => {
  let appController: AppController;
  let failures: number;

  beforeEach(async () => {
    failures = 0;
    const pool = {
      use: async () => {
        if (failures-- > 0) throw Object.assign(new Error('reset'), { code: 'ECONNRESET' });
        return 'from the fake';
      },
    };
    const app: TestingModule = await Test.createTestingModule({
      controllers: [AppController],
      providers: [AppService, { provide: getPoolToken(EchoConnectionFactory), useValue: pool }],
    }).compile();

    appController = app.get<AppController>(AppController);
  });

  describe('root', () => {
    it('should return "Hello World!"', () => {
      expect(appController.getHello()).toBe('Hello World!');
    });

    it('should use the pool that the test put in its place', async () => {
      expect(await appController.echo('hello')).toBe('from the fake');
    });

    it('should retry without the module too', async () => {
      failures = 2;
      expect(await appController.echo('hello')).toBe('from the fake');
      failures = 3;
      await expect(appController.echo('hello')).rejects.toThrow('reset');
    });
  });
});
